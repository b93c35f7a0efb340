# There is no verdict before jicofo, prosody and the status file have each been seen, in whatever order, healthy or not.
unseen
0s               → no verdict
1s  ready        → no verdict
2s  drain        → no verdict
3s  prosody 200  → no verdict
4s  census 200   → no verdict
5s  prosody 200  → no verdict
9s  jicofo 200   → up drain 0% reason status_drain since 9s runs 0
