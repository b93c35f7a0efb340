# The return of a node that was reported unhealthy is dampened: it counts from the last unhealthy observation, healthy
# ones in between change nothing, and it ends by itself.
0s       ready                           → up ready 100%
10s      prosody 500                     → down ready 100%
40s      prosody 500                     → down ready 100%
50s      prosody 200                     → down ready 100% damped until 70s reason dampening since 50s
60s      prosody 200, jicofo 200, ready  → down ready 100% damped until 70s
70s-1ns                                  → down ready 100% damped until 70s
70s                                      → up ready 100% reason none
70s+1ns                                  → up ready 100%
