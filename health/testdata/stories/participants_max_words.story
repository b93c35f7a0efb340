# Load drains only a ready node: drain and maint stay as they are, unknown is not turned into anything.
set PARTICIPANT_MAX=10
0s  ready, participants 5  → up ready 100%
10s          | participants 10                        | participants 11
ready        | up ready 100% status ready reason none | up drain 0% status drain reason participants_max
drain        | up drain 0% status drain               | up drain 0% status drain reason status_drain
maint        | up maint 0% status maint               | up maint 0% status maint reason status_maint
file "?"     | up drain 100% status unknown           | up drain 100% status unknown reason status_unknown
unhealthy    | down drain 0% status drain             | down drain 0% status drain reason status_unhealthy
file missing | down drain 100% status unknown         | down drain 100% status unknown reason status_file_unreadable
