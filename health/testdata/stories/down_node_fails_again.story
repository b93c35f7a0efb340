# A node that is down does not come up because something fails: prosody crashes and recovers, and while the return is
# dampened jicofo hangs.
0s    ready            → up ready 100%
10s   prosody refused  → down ready 100% reason prosody_unreachable
12s   prosody 200      → down ready 100% damped until 40s
20s   jicofo timeout   → down ready 100% reason jicofo_timeout runs 2
50s   jicofo 200       → up ready 100%
