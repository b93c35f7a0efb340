# A status file that is missing or says unhealthy never qualifies for grace, whatever else is wrong (scope soft).
set DRAIN_GRACE_SCOPE=soft
0s  ready  → up ready 100%
10s                         | file missing                   | unhealthy
prosody 200                 | down drain 100% status unknown | down drain 0% status drain
jicofo 503                  | down drain 100% status unknown | down drain 0% status drain
jicofo 503, prosody timeout | down drain 100% status unknown | down drain 0% status drain
prosody timeout             | down drain 100% status unknown | down drain 0% status drain
jicofo refused              | down drain 100% status unknown | down drain 0% status drain
stats 500                   | down drain 100% status unknown | down drain 0% status drain
stats invalid               | down drain 100% status unknown | down drain 0% status drain
prosody 500                 | down drain 100% status unknown | down drain 0% status drain
