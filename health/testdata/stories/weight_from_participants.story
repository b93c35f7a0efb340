# WEIGHT_PARTICIPANTS: 100 − floor(100·participants/max), to the nearest 5, at least 1 %: with a maximum of 5000, one
# percent is 50 participants.
set WEIGHT_PARTICIPANTS=true PARTICIPANT_MAX=5000
0s   participants 0     → up ready 100%
1s   participants 149   → up ready 100%
2s   participants 150   → up ready 95%
3s   participants 249   → up ready 95%
4s   participants 399   → up ready 95%
5s   participants 400   → up ready 90%
6s   participants 1000  → up ready 80%
7s   participants 2500  → up ready 50%
8s   participants 2649  → up ready 50%
9s   participants 2650  → up ready 45%
10s  participants 2899  → up ready 45%
11s  participants 2900  → up ready 40%
12s  participants 3333  → up ready 35%
13s  participants 4850  → up ready 5%
14s  participants 4899  → up ready 5%
15s  participants 4900  → up ready 1%
16s  participants 4999  → up ready 1%
17s  participants 5000  → up ready 1%
18s  participants 5001  → up drain 0% reason participants_max
