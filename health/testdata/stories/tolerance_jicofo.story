# jicofo's two answers together: refused connections are tolerated while nothing else is wrong. The episode, and with it the
# grace, begins when the tolerance ends.
set UNREACHABLE_TOLERANCE=2
0s    ready, participants 5001     → up drain 0%
10s   stats refused                → up drain 0% until 12s tolerated jicofo
11s   jicofo refused               → up drain 0% until 12s tolerated jicofo reason participants_max
12s                                → up drain 0% damped until 132s tolerated none reason jicofo_unreachable since 12s
15s   jicofo 200, participants 10  → up ready 100%
20s   jicofo refused, stats 500    → up drain 0% damped until 140s tolerated none reason jicofo_unreachable runs 2
