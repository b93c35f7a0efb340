# The grace depends on what is wrong at each moment. When prosody fails as well, the node is down. An episode that was
# reported unhealthy gets no grace any more, so prosody's return alone changes nothing. The end of the episode is dampened.
0s   ready            → up ready 100%
10s  jicofo refused   → up drain 0% damped until 130s
20s  prosody timeout  → down ready 100% reason prosody_timeout,jicofo_unreachable
30s  prosody 200      → down ready 100% reason jicofo_unreachable since 10s runs 1
40s  jicofo 200       → down ready 100% damped until 50s
50s                   → up ready 100%
60s  jicofo refused   → up drain 0% damped until 180s runs 2
70s  jicofo 200       → up ready 100%
