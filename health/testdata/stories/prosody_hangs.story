# prosody hangs (soft down): users stay, new ones go elsewhere; it comes back within the grace, and nobody was sent away.
poll 5s
0s   ready            → up ready 100%
12s  prosody timeout  → up drain 0% damped until 132s reason prosody_timeout
60s  prosody 200      → up ready 100% reason none runs 1
