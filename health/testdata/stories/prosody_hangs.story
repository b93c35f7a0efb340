# prosody hangs (soft down): users stay, and new ones go elsewhere. It comes back within the grace, and no user was moved.
poll 5s
0s   ready            → up ready 100%
12s  prosody timeout  → up drain 0% damped until 132s reason prosody_timeout
60s  prosody 200      → up ready 100% reason none runs 1
