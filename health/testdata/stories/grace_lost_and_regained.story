# The grace asks at each moment what is wrong then: it is lost when prosody fails as well, regained within the same
# interval when prosody works, and the episode, once reported unhealthy, ends dampened.
0s   ready            → up ready 100%
10s  jicofo refused   → up drain 0% damped until 130s
20s  prosody timeout  → down ready 100% reason prosody_timeout,jicofo_unreachable
30s  prosody 200      → up drain 0% damped until 130s reason jicofo_unreachable since 10s runs 1
40s  jicofo 200       → down ready 100% damped until 50s
50s                   → up ready 100%
