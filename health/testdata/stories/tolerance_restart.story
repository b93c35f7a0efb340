# A prosody that is restarted within UNREACHABLE_TOLERANCE is not noticed: its last observation counts.
set UNREACHABLE_TOLERANCE=2
0s    ready            → up ready 100% tolerated none
10s   prosody refused  → up ready 100% until 12s tolerated prosody reason none
11s   prosody reset    → up ready 100% until 12s tolerated prosody
11.5s prosody 200      → up ready 100% tolerated none runs 0
20s   prosody refused  → up ready 100% until 22s tolerated prosody
22s                    → down ready 100% tolerated none reason prosody_unreachable since 22s runs 1
23s   prosody refused  → down ready 100% tolerated none
24s   prosody 200      → down ready 100% damped until 53s
30s   prosody refused  → down ready 100% damped until 32s tolerated prosody
31s   prosody 200      → down ready 100% damped until 53s
53s                    → up ready 100%
