# A shard that boots: down from its first verdict, and its first health is dampened like any other, for it has been
# reported unhealthy. What was seen wrong before there was a verdict counts as an unhealthy observation, not as a report.
unseen
0s   ready, prosody 200
1s   jicofo refused      → down ready 100% reason jicofo_unreachable runs 1
6s   jicofo refused      → down ready 100%
8s   jicofo 200          → down ready 100% damped until 36s reason dampening since 8s runs 1
36s                      → up ready 100% reason none
