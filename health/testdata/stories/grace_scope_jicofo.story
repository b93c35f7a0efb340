# What the drain grace covers in scope jicofo: whatever is wrong with jicofo while prosody works, and a prosody that times
# out while jicofo is healthy (both answers 200, parsed or not) or soft down.
set DRAIN_GRACE_SCOPE=jicofo
let DRAIN = up drain 0% damped until 130s
let DOWN = down ready 100%
0s  ready  → up ready 100%
10s                       | prosody 200   | prosody timeout | prosody refused | prosody 500
jicofo 200                | up ready 100% | DRAIN           | DOWN            | DOWN
jicofo 503                | DRAIN         | DRAIN           | DOWN            | DOWN
jicofo 503, stats 500     | DRAIN         | DRAIN           | DOWN            | DOWN
jicofo 503, stats invalid | DRAIN         | DRAIN           | DOWN            | DOWN
jicofo 500                | DRAIN         | DOWN            | DOWN            | DOWN
jicofo refused            | DRAIN         | DOWN            | DOWN            | DOWN
jicofo timeout            | DRAIN         | DOWN            | DOWN            | DOWN
stats 500                 | DRAIN         | DOWN            | DOWN            | DOWN
stats timeout             | DRAIN         | DOWN            | DOWN            | DOWN
stats invalid             | DRAIN         | DRAIN           | DOWN            | DOWN
jicofo 500, stats invalid | DRAIN         | DOWN            | DOWN            | DOWN
