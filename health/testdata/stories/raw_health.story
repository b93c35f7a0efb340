# Raw health needs all of it: jicofo 200, /stats 200 and parsed, prosody 200, a readable file whose word is not unhealthy.
# Without mitigation it is the verdict, and the status is the word in the file.
set DRAIN_GRACE_INTERVAL=0 HEALTH_DAMPENING_INTERVAL=0
0s    → up ready 100% reason none
10s                   | ready                                       | drain                                                  | file "?"
jicofo 200            | up ready 100% reason none                   | up drain 0% reason status_drain                        | up drain 100% reason status_unknown
jicofo 503            | down ready 100% reason jicofo_overloaded    | down drain 0% reason jicofo_overloaded,status_drain    | down drain 100% reason jicofo_overloaded,status_unknown
jicofo 503, stats 500 | down ready 100% reason jicofo_overloaded    | down drain 0% reason jicofo_overloaded,status_drain    | down drain 100% reason jicofo_overloaded,status_unknown
jicofo 500            | down ready 100% reason jicofo_unhealthy     | down drain 0% reason jicofo_unhealthy,status_drain     | down drain 100% reason jicofo_unhealthy,status_unknown
jicofo 204            | down ready 100% reason jicofo_unhealthy     | down drain 0% reason jicofo_unhealthy,status_drain     | down drain 100% reason jicofo_unhealthy,status_unknown
jicofo refused        | down ready 100% reason jicofo_unreachable   | down drain 0% reason jicofo_unreachable,status_drain   | down drain 100% reason jicofo_unreachable,status_unknown
jicofo timeout        | down ready 100% reason jicofo_timeout       | down drain 0% reason jicofo_timeout,status_drain       | down drain 100% reason jicofo_timeout,status_unknown
stats 500             | down ready 100% reason jicofo_stats_failed  | down drain 0% reason jicofo_stats_failed,status_drain  | down drain 100% reason jicofo_stats_failed,status_unknown
stats timeout         | down ready 100% reason jicofo_stats_failed  | down drain 0% reason jicofo_stats_failed,status_drain  | down drain 100% reason jicofo_stats_failed,status_unknown
stats invalid         | down ready 100% reason jicofo_stats_invalid | down drain 0% reason jicofo_stats_invalid,status_drain | down drain 100% reason jicofo_stats_invalid,status_unknown
prosody 404           | down ready 100% reason prosody_unhealthy    | down drain 0% reason prosody_unhealthy,status_drain    | down drain 100% reason prosody_unhealthy,status_unknown
prosody refused       | down ready 100% reason prosody_unreachable  | down drain 0% reason prosody_unreachable,status_drain  | down drain 100% reason prosody_unreachable,status_unknown
prosody timeout       | down ready 100% reason prosody_timeout      | down drain 0% reason prosody_timeout,status_drain      | down drain 100% reason prosody_timeout,status_unknown
prosody 200           | up ready 100% reason none                   | up drain 0% reason status_drain                        | up drain 100% reason status_unknown
