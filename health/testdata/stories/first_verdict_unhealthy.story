# A node that has never been healthy gets no drain grace: a shard that boots broken is down from its first verdict.
unseen
0s    ready
1s    jicofo 503       → no verdict
2s    prosody 200      → down ready 100% reason jicofo_overloaded runs 1
119s                   → down ready 100%
122s  jicofo 500       → down ready 100% runs 1
123s  prosody timeout  → down ready 100% reason prosody_timeout,jicofo_unhealthy since 123s
