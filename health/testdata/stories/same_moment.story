# Several observations at one moment count in their order: even a failure of no duration was seen, and is dampened.
0s   ready                     → up ready 100%
10s  prosody 500, prosody 200  → down ready 100% damped until 40s runs 1
40s                            → up ready 100%
50s  jicofo 503, jicofo 200    → up ready 100% runs 2
