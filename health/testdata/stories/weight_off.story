# Without WEIGHT_PARTICIPANTS the weight is 100 % however many participants there are, but 0 % for drain and maint.
0s   ready, participants 0          → up ready 100%
5s   participants 4000              → up ready 100%
10s  participants 5000              → up ready 100%
15s  participants 5001              → up drain 0%
20s  participants 10, maint         → up maint 0%
25s  file "?"                       → up drain 100% status unknown
30s  ready, stats 500, prosody 500  → down ready 100%
