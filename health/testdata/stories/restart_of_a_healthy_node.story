# A restart of a healthy node: it has been healthy before, so a failure that follows gets its grace.
0s        ready                           → up ready 100%
10s       restart                         → no verdict
11s       jicofo 503, prosody 200, ready  → up drain 0% damped until 131s runs 1
