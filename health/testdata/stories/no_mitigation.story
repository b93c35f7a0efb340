# Both intervals 0: the verdict is the raw health, and nothing is ever damped.
set DRAIN_GRACE_INTERVAL=0 HEALTH_DAMPENING_INTERVAL=0
poll 5s
0s       ready            → up ready 100%
10s      jicofo 503       → down ready 100% reason jicofo_overloaded
10s+1ns  jicofo 200       → up ready 100%
20s      prosody timeout  → down ready 100% reason prosody_timeout
21s      prosody 200      → up ready 100%
30s      file missing     → down drain 100% reason status_file_unreadable
31s      ready            → up ready 100% runs 3
