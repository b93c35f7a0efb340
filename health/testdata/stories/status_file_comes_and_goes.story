# A missing status file makes the node unhealthy, without grace; when it is back the return is dampened.
0s   ready         → up ready 100%
10s  file missing  → down drain 100% status unknown reason status_file_unreadable
12s  maint         → down maint 0% damped until 40s reason dampening,status_maint
20s  unhealthy     → down drain 0% reason status_unhealthy runs 2
30s  ready         → down ready 100% damped until 50s
50s                → up ready 100%
