# DRAIN_GRACE_INTERVAL=0: what would qualify is down at once, and its return is dampened.
set DRAIN_GRACE_INTERVAL=0
poll 5s
0s   ready            → up ready 100%
10s  jicofo 503       → down ready 100% reason jicofo_overloaded
20s  jicofo 200       → down ready 100% damped until 45s
45s                   → up ready 100%
50s  prosody timeout  → down ready 100% reason prosody_timeout
51s  prosody 200      → down ready 100% damped until 80s
80s                   → up ready 100%
