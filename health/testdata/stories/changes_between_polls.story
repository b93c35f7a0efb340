# Deadlines come by themselves: between two polls nothing is observed, and the verdict changes on the nanosecond.
poll 50s
0s        ready       → up ready 100%
10s       jicofo 503  → up drain 0% damped until 130s
130s-1ns              → up drain 0% damped until 130s
130s                  → down ready 100%
140s      jicofo 500  → down ready 100%
141s      jicofo 200  → down ready 100% damped until 170s
170s-1ns              → down ready 100% damped until 170s
170s                  → up ready 100%
