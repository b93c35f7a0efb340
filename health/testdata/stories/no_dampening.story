# HEALTH_DAMPENING_INTERVAL=0: a node that was down is up with its first healthy observation; the grace is as ever.
set HEALTH_DAMPENING_INTERVAL=0
poll 5s
0s    ready        → up ready 100%
10s   prosody 500  → down ready 100% reason prosody_unhealthy
11s   prosody 200  → up ready 100%
20s   jicofo 503   → up drain 0% damped until 140s
140s               → down ready 100% reason jicofo_overloaded since 20s
141s  jicofo 200   → up ready 100%
