# With WEIGHT_PARTICIPANTS a node in grace drains with 0 %, a dampened one keeps the weight of its load.
set WEIGHT_PARTICIPANTS=true PARTICIPANT_MAX=1000
0s    ready, participants 200  → up ready 80%
10s   prosody timeout          → up drain 0% damped until 130s
130s                           → down ready 80%
140s  prosody 500              → down ready 80%
150s  prosody 200              → down ready 80% damped until 170s
160s  participants 500         → down ready 50% damped until 170s
170s                           → up ready 50%
