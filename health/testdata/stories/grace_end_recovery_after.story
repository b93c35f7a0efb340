# jicofo recovers 1 ns after the end of its grace: the return is dampened.
0s        ready       → up ready 100%
10s       jicofo 503  → up drain 0% damped until 130s
125s      jicofo 503  → up drain 0% damped until 130s
130s                  → down ready 100%
130s+1ns  jicofo 200  → down ready 100% damped until 155s
155s                  → up ready 100%
