# What is no refused or reset connection counts at once, also of a service that is tolerated; and one that was not healthy
# is not tolerated.
set UNREACHABLE_TOLERANCE=2
0s    ready            → up ready 100%
10s   prosody refused  → up ready 100% until 12s tolerated prosody
11s   prosody timeout  → up drain 0% damped until 131s tolerated none reason prosody_timeout since 11s
12s   prosody refused  → down ready 100% tolerated none reason prosody_unreachable since 12s
14s   prosody 200      → down ready 100% damped until 42s
42s                    → up ready 100%
50s   jicofo refused   → up ready 100% until 52s tolerated jicofo
51s   jicofo 503       → up drain 0% damped until 171s tolerated none reason jicofo_overloaded
52s   jicofo refused   → up drain 0% damped until 171s tolerated none reason jicofo_unreachable
