# A relapse while the return is dampened belongs to the same episode: its grace still runs from the first failure.
0s    ready           → up ready 100%
10s   prosody 500     → down ready 100%
20s   prosody 200     → down ready 100% damped until 40s
30s   jicofo 503      → up drain 0% damped until 130s runs 2
35s   jicofo 200      → down ready 100% damped until 60s
50s   jicofo timeout  → up drain 0% damped until 130s runs 3
130s                  → down ready 100% reason jicofo_timeout since 50s
140s  jicofo 200      → up ready 100% runs 3
