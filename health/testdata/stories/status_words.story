# The words of the status file: four, in any case, trimmed of what JavaScript's trim takes (a byte order mark, not
# U+0085); anything else is unknown, and the agent replies drain.
0s  ready  → up ready 100% status ready
10s                             | prosody 200
ready                           | up ready 100% status ready   reason none
drain                           | up drain 0%   status drain   reason status_drain
maint                           | up maint 0%   status maint   reason status_maint
unhealthy                       | down drain 0% status drain   reason status_unhealthy
file " Ready\n"                 | up ready 100% status ready
file "\tDRAIN"                  | up drain 0%   status drain
file "mAinT\r\n"                | up maint 0%   status maint
file "\ufeffmaint\r\n"          | up maint 0%   status maint
file "\u00a0\u3000drain\u2028\v"| up drain 0%   status drain
file "drain\u0085"              | up drain 100% status unknown
file "Unhealthy"                | down drain 0% status drain
file ""                         | up drain 100% status unknown reason status_unknown
file "readyy"                   | up drain 100% status unknown reason status_unknown
file "re ady"                   | up drain 100% status unknown reason status_unknown
file "unknown"                  | up drain 100% status unknown reason status_unknown
file missing                    | down drain 100% status unknown reason status_file_unreadable
