# The root cause comes first, also if another reason was observed earlier. A reason keeps its time for as long as it is in
# force, and has a new one when it comes back.
poll 5s
0s    ready, participants 5001       → up drain 0% reason participants_max since 0s
10s   participants 6000              → up drain 0% reason participants_max since 0s
20s   prosody timeout                → up drain 0% damped until 140s reason prosody_timeout,participants_max since 20s
30s   jicofo 503                     → up drain 0% damped until 140s reason prosody_timeout,jicofo_overloaded since 20s
40s   prosody 500                    → down ready 100% reason prosody_unhealthy,jicofo_overloaded since 40s
50s   prosody 200                    → down ready 100% reason jicofo_overloaded since 30s
60s   drain                          → down drain 0% reason jicofo_overloaded,status_drain since 30s
70s   stats timeout, jicofo timeout  → down drain 0% reason jicofo_timeout,status_drain since 70s
80s   unhealthy                      → down drain 0% reason status_unhealthy,jicofo_timeout since 80s
90s   jicofo 200                     → down drain 0% reason status_unhealthy since 80s
100s  ready                          → down drain 0% damped until 125s reason dampening,participants_max since 100s
110s  jicofo 503                     → down ready 100% reason jicofo_overloaded since 110s
120s  jicofo 200, participants 10    → down ready 100% damped until 145s reason dampening since 120s
145s                                 → up ready 100% reason none
