# jicofo overloaded: drain for the grace interval, then down, then a dampened return.
# The grace runs from the begin of the episode, the dampening from the last poll that saw jicofo unwell (195s).
set DRAIN_GRACE_INTERVAL=120 HEALTH_DAMPENING_INTERVAL=30
poll 5s
0s        ready       → up ready 100%
10s       jicofo 503  → up drain 0% damped until 130s reason jicofo_overloaded since 10s
130s-1ns              → up drain 0% damped until 130s
130s                  → down ready 100% reason jicofo_overloaded since 10s
200s      jicofo 200  → down ready 100% damped until 225s reason dampening since 200s
225s-1ns              → down ready 100% damped until 225s
225s                  → up ready 100% reason none runs 1
