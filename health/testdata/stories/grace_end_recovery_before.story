# jicofo recovers 1 ns before its grace ends: it was never reported unhealthy, so it is up at once.
0s        ready       → up ready 100%
10s       jicofo 503  → up drain 0% damped until 130s
125s      jicofo 503  → up drain 0% damped until 130s
130s-1ns  jicofo 200  → up ready 100% reason none
130s                  → up ready 100%
