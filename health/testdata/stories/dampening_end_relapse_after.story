# jicofo relapses 1 ns after the dampening ended: a new episode with a grace of its own.
0s        ready       → up ready 100%
10s       jicofo 503  → up drain 0% damped until 130s
130s      jicofo 503  → down ready 100%
140s      jicofo 200  → down ready 100% damped until 160s
160s                  → up ready 100%
160s+1ns  jicofo 503  → up drain 0% damped until 280s+1ns runs 2
170s      jicofo 200  → up ready 100%
