# jicofo recovers at the very end of its grace: the deadline comes first, so it was
# reported unhealthy and the return is dampened.
0s    ready       → up ready 100%
10s   jicofo 503  → up drain 0% damped until 130s
125s  jicofo 503  → up drain 0% damped until 130s
130s  jicofo 200  → down ready 100% damped until 155s
155s              → up ready 100%
