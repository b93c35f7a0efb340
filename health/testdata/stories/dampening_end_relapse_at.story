# jicofo relapses at the very end of the dampening: the deadline comes first, the episode
# is over, and the new one has a grace of its own.
0s    ready       → up ready 100%
10s   jicofo 503  → up drain 0% damped until 130s
130s  jicofo 503  → down ready 100%
140s  jicofo 200  → down ready 100% damped until 160s
160s  jicofo 503  → up drain 0% damped until 280s runs 2
170s  jicofo 200  → up ready 100%
