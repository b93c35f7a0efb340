# The census is for the report: whatever becomes of it, the verdict stays.
set CENSUS_POLL=true
0s   ready, census 200  → up ready 100%
5s   census timeout     → up ready 100% reason none runs 0
10s  jicofo 503         → up drain 0% damped until 130s
15s  census 500         → up drain 0% damped until 130s
20s  census 200         → up drain 0% damped until 130s reason jicofo_overloaded since 10s
