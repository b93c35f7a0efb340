# Both services are restarted: each has its own tolerance. A status file that declares the node unhealthy is not tolerated.
set UNREACHABLE_TOLERANCE=2
0s    ready            → up ready 100%
10s   jicofo refused   → up ready 100% until 12s tolerated jicofo
11s   prosody refused  → up ready 100% until 12s tolerated jicofo,prosody
11.5s unhealthy        → down drain 0% until 12s tolerated jicofo,prosody reason status_unhealthy
12s                    → down drain 0% until 13s tolerated prosody reason status_unhealthy,jicofo_unreachable
13s                    → down drain 0% tolerated none reason status_unhealthy,prosody_unreachable,jicofo_unreachable
