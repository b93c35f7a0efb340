# A restart while a recovery is dampened: the node stays down until the dampening ends.
0s        ready                           → up ready 100%
10s       prosody 500                     → down ready 100%
20s       prosody 200                     → down ready 100% damped until 40s reason dampening since 20s
25s       restart                         → no verdict
26s       jicofo 200, prosody 200, ready  → down ready 100% damped until 40s reason dampening since 20s
40s                                       → up ready 100% reason none
