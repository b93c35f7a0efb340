# A service that was healthy before the restart is tolerated after it, with the load that it had.
set UNREACHABLE_TOLERANCE=5 WEIGHT_PARTICIPANTS=true PARTICIPANT_MAX=200
0s        ready                           → up ready 50%
10s       restart                         → no verdict
11s       jicofo refused, prosody 200, ready → up ready 50% until 16s tolerated jicofo
16s                                       → up drain 0% damped until 136s reason jicofo_unreachable since 16s
