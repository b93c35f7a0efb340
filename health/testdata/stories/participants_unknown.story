# Participants count only where jicofo's health and /stats are 200 and parsed. Otherwise they are
# unknown, and the node is not drained for load.
set PARTICIPANT_MAX=10 DRAIN_GRACE_INTERVAL=0 HEALTH_DAMPENING_INTERVAL=0
0s   participants 11  → up drain 0% reason participants_max
5s   stats invalid    → down ready 100% reason jicofo_stats_invalid
10s  jicofo 200       → up drain 0% reason participants_max since 10s
15s  jicofo 500       → down ready 100% reason jicofo_unhealthy
20s  jicofo 200       → up drain 0%
25s  stats 500        → down ready 100%
30s  jicofo 200       → up drain 0%
35s  prosody 500      → down drain 0% reason prosody_unhealthy,participants_max
