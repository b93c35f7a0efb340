# A relapse while the return is dampened belongs to the same episode, which was reported unhealthy: it gets no grace,
# although DRAIN_GRACE_INTERVAL has not passed since the first failure.
0s    ready           → up ready 100%
10s   prosody 500     → down ready 100%
20s   prosody 200     → down ready 100% damped until 40s
30s   jicofo 503      → down ready 100% reason jicofo_overloaded since 30s runs 2
35s   jicofo 200      → down ready 100% damped until 60s
50s   jicofo timeout  → down ready 100% reason jicofo_timeout since 50s runs 3
60s   jicofo 200      → down ready 100% damped until 80s
80s                   → up ready 100% runs 3
