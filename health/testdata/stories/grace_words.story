# During grace the status is drain for each word in the file except maint, which stays maint: users who stick to a node under
# maintenance must not come back to it.
0s  ready  → up ready 100%
10s     | jicofo 503                                                                         | prosody timeout
ready   | up drain 0% damped until 130s status drain                                         | up drain 0% damped until 130s status drain
drain   | up drain 0% damped until 130s status drain                                         | up drain 0% damped until 130s status drain
maint   | up maint 0% damped until 130s status maint                                         | up maint 0% damped until 130s status maint
file "" | up drain 0% damped until 130s status drain reason jicofo_overloaded,status_unknown | up drain 0% damped until 130s status drain
