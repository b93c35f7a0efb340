# jicofo relapses 1 ns before the dampening ends: the same episode, so its grace is long over.
0s        ready       → up ready 100%
10s       jicofo 503  → up drain 0% damped until 130s
130s      jicofo 503  → down ready 100%
140s      jicofo 200  → down ready 100% damped until 160s
160s-1ns  jicofo 503  → down ready 100% runs 2
160s                  → down ready 100%
170s      jicofo 200  → down ready 100% damped until 190s-1ns
190s-1ns              → up ready 100%
