# What the drain grace covers in scope soft: jicofo soft down while prosody is healthy or soft down, and a prosody that
# times out while jicofo is healthy (both answers 200, parsed or not). In the last row prosody times out first: invalid
# statistics alone are reported as unhealthy, after which there is no grace.
set DRAIN_GRACE_SCOPE=soft
let DRAIN = up drain 0% damped until 130s
let DOWN = down ready 100%
0s  ready  → up ready 100%
10s                            | prosody 200   | prosody timeout | prosody refused | prosody 500
jicofo 200                     | up ready 100% | DRAIN           | DOWN            | DOWN
jicofo 503                     | DRAIN         | DRAIN           | DOWN            | DOWN
jicofo 503, stats 500          | DRAIN         | DRAIN           | DOWN            | DOWN
jicofo 503, stats invalid      | DRAIN         | DRAIN           | DOWN            | DOWN
jicofo 500                     | DOWN          | DOWN            | DOWN            | DOWN
jicofo refused                 | DOWN          | DOWN            | DOWN            | DOWN
jicofo timeout                 | DOWN          | DOWN            | DOWN            | DOWN
stats 500                      | DOWN          | DOWN            | DOWN            | DOWN
stats timeout                  | DOWN          | DOWN            | DOWN            | DOWN
stats invalid                  | DOWN          | DOWN            | DOWN            | DOWN
jicofo 500, stats invalid      | DOWN          | DOWN            | DOWN            | DOWN
prosody timeout, stats invalid | DOWN          | DRAIN           | DOWN            | DOWN
