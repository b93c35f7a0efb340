# A drain grace that is not above the dampening interval is forced to dampening + 1 s.
set DRAIN_GRACE_INTERVAL=30 HEALTH_DAMPENING_INTERVAL=30
0s   ready       → up ready 100%
10s  jicofo 503  → up drain 0% damped until 41s reason jicofo_overloaded
41s              → down ready 100% reason jicofo_overloaded since 10s
