# A jicofo that flaps every 10 s for minutes is down all along once its grace is used up; it is up when it has been well
# for the whole dampening interval.
poll 5s
0s    ready       → up ready 100%
10s   jicofo 503  → up drain 0% damped until 130s
130s              → down ready 100% reason jicofo_overloaded since 10s
140s  jicofo 200  → down ready 100% damped until 165s
150s  jicofo 500  → down ready 100% reason jicofo_unhealthy since 150s
160s  jicofo 200  → down ready 100% damped until 185s
170s  jicofo 503  → down ready 100%
180s  jicofo 200  → down ready 100% damped until 205s
205s              → up ready 100% reason none runs 3
