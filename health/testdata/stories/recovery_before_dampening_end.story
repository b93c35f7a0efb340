# Recovery 1 ns before the last unhealthy observation is as old as the dampening interval: dampened for that 1 ns.
0s       ready        → up ready 100%
10s      prosody 500  → down ready 100%
40s-1ns  prosody 200  → down ready 100% damped until 40s
40s                   → up ready 100%
