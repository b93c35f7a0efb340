# While the return is dampened, the status and the weight still follow from the file and the load.
set PARTICIPANT_MAX=10
0s   ready, participants 5   → up ready 100%
10s  prosody 500             → down ready 100%
15s  prosody 200             → down ready 100% damped until 40s
16s  drain                   → down drain 0% damped until 40s
17s  maint                   → down maint 0% damped until 40s
18s  file "?"                → down drain 100% damped until 40s status unknown reason dampening,status_unknown
19s  ready, participants 11  → down drain 0% damped until 40s reason dampening,participants_max
40s                          → up drain 0%
