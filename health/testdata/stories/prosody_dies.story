# prosody is gone: no user can be served, so there is no grace. The return is dampened.
0s   ready            → up ready 100%
10s  prosody refused  → down ready 100% reason prosody_unreachable
15s  prosody refused  → down ready 100%
20s  prosody 200      → down ready 100% damped until 45s
45s                   → up ready 100% runs 1
