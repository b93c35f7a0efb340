# An episode that only ever showed as drain is over at once when the node is healthy: there is nothing to dampen.
# The next one has a grace of its own.
0s    ready           → up ready 100%
10s   jicofo 503      → up drain 0% damped until 130s
15s   jicofo 503      → up drain 0% damped until 130s
20s   jicofo 200      → up ready 100% reason none
21s   jicofo refused  → up drain 0% damped until 141s runs 2
141s                  → down ready 100%
