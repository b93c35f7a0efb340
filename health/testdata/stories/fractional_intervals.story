# Intervals may be fractions of a second, or Go durations.
set DRAIN_GRACE_INTERVAL=2.5 HEALTH_DAMPENING_INTERVAL=1500ms
0s         ready       → up ready 100%
10s        jicofo 503  → up drain 0% damped until 12500ms
12500ms                → down ready 100%
12s+600ms  jicofo 503  → down ready 100%
13s        jicofo 200  → down ready 100% damped until 14100ms
14100ms                → up ready 100%
