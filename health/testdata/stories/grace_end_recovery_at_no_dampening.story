# jicofo recovers at the very end of its grace, without dampening: up.
set HEALTH_DAMPENING_INTERVAL=0
0s    ready       → up ready 100%
10s   jicofo 503  → up drain 0% damped until 130s
130s  jicofo 200  → up ready 100% runs 1
