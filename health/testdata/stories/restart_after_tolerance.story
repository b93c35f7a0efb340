# The tolerance ended while the sidecar was away: the failure counts at once.
set UNREACHABLE_TOLERANCE=5
0s        ready                           → up ready 100%
10s       prosody refused                 → up ready 100% until 15s tolerated prosody
11s       restart                         → no verdict
16s       jicofo 200, prosody refused, ready → down ready 100% tolerated none
