# The grace ended while the sidecar was away. A node that is still unwell is down at the first verdict. A node that is
# well again is up at once, because nothing was reported while the sidecar was away.
0s        ready                           → up ready 100%
10s       jicofo 503                      → up drain 0% damped until 130s
120s      restart                         → no verdict
135s      | prosody 200, ready
jicofo 503 | down ready 100%
jicofo 200 | up ready 100%
