# The operator's word takes effect at once during grace, too. maint stays maint; unhealthy ends the grace of this episode.
0s    ready       → up ready 100%
10s   jicofo 500  → up drain 0% damped until 130s
20s   maint       → up maint 0% damped until 130s reason jicofo_unhealthy,status_maint
25s   jicofo 500  → up maint 0% damped until 130s
30s   ready       → up drain 0% damped until 130s
40s   unhealthy   → down drain 0% reason status_unhealthy,jicofo_unhealthy
50s   maint       → down maint 0%
