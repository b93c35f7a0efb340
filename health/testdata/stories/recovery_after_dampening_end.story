# Recovery when the last unhealthy observation is older than the dampening interval: nothing is left to dampen.
0s       ready        → up ready 100%
10s      prosody 500  → down ready 100%
40s+1ns  prosody 200  → up ready 100%
