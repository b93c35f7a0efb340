# What the status file says: four words, trimmed, in any case; anything else is unknown, which HAProxy is told as drain.
0s  ready  → up ready 100% status ready
10s              | prosody 200
ready            | up ready 100% status ready   reason none
drain            | up drain 0%   status drain   reason status_drain
maint            | up maint 0%   status maint   reason status_maint
unhealthy        | down drain 0% status drain   reason status_unhealthy
file " Ready\n"  | up ready 100% status ready
file "\tDRAIN"   | up drain 0%   status drain
file "mAinT\r\n" | up maint 0%   status maint
file "Unhealthy" | down drain 0% status drain
file ""          | up drain 100% status unknown reason status_unknown
file "readyy"    | up drain 100% status unknown reason status_unknown
file "re ady"    | up drain 100% status unknown reason status_unknown
file "unknown"   | up drain 100% status unknown reason status_unknown
file missing     | down drain 100% status unknown reason status_file_unreadable
