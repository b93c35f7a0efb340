# A restart in the drain grace: the node is not reported down, and the grace ends when it would have ended.
0s        ready                           → up ready 100%
10s       jicofo 503                      → up drain 0% damped until 130s reason jicofo_overloaded since 10s runs 1
60s       restart                         → no verdict
61s       jicofo 503, ready               → no verdict
62s       prosody 200                     → up drain 0% damped until 130s reason jicofo_overloaded since 10s runs 0
130s-1ns                                  → up drain 0% damped until 130s
130s                                      → down ready 100%
140s      jicofo 503                      → down ready 100%
150s      jicofo 200                      → down ready 100% damped until 170s
