# Above PARTICIPANT_MAX a ready node drains, at the maximum it does not; no mitigation, for nothing is unhealthy.
set PARTICIPANT_MAX=5000
0s   participants 4999    → up ready 100% reason none
5s   participants 5000    → up ready 100% reason none
10s  participants 5001    → up drain 0% reason participants_max since 10s runs 0
15s  participants 5000.5  → up drain 0% reason participants_max since 10s
20s  participants 5000    → up ready 100% reason none runs 0
