# A process that ended before its first verdict changes nothing.
0s        ready                           → up ready 100%
10s       jicofo 503                      → up drain 0% damped until 130s
20s       restart                         → no verdict
21s       prosody 200                     → no verdict
22s       restart                         → no verdict
23s       jicofo 503, prosody 200, ready  → up drain 0% damped until 130s reason jicofo_overloaded since 10s
