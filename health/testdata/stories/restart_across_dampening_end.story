# The dampening ended while the sidecar was away.
0s        ready                           → up ready 100%
10s       prosody 500                     → down ready 100%
20s       prosody 200                     → down ready 100% damped until 40s
25s       restart                         → no verdict
41s       jicofo 200, prosody 200, ready  → up ready 100%
