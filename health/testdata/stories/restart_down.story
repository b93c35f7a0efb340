# A restart of a node that was reported down: it gets no grace, although jicofo alone would qualify.
0s        ready                           → up ready 100%
10s       prosody 500                     → down ready 100%
20s       restart                         → no verdict
21s       jicofo 503, prosody 200, ready  → down ready 100% reason jicofo_overloaded since 21s runs 0
