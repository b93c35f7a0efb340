# A restart while a service is tolerated: the tolerance ends when it would have ended.
set UNREACHABLE_TOLERANCE=5
0s        ready                           → up ready 100%
10s       prosody refused                 → up ready 100% until 15s tolerated prosody
11s       restart                         → no verdict
12s       jicofo 200, ready               → no verdict
12.5s     prosody refused                 → up ready 100% until 15s tolerated prosody
15s                                       → down ready 100% reason prosody_unreachable since 15s
