# WEIGHT_PARTICIPANTS: 0 % for drain and maint, and while the participants are unknown; otherwise at least 1 %.
set WEIGHT_PARTICIPANTS=true PARTICIPANT_MAX=100 DRAIN_GRACE_INTERVAL=0 HEALTH_DAMPENING_INTERVAL=0
0s  ready, participants 50  → up ready 50%
10s              | ready          | drain         | maint         | file "?"
jicofo 200       | up ready 50%   | up drain 0%   | up maint 0%   | up drain 50%
participants 100 | up ready 1%    | up drain 0%   | up maint 0%   | up drain 1%
participants 900 | up drain 0%    | up drain 0%   | up maint 0%   | up drain 1%
jicofo refused   | down ready 0%  | down drain 0% | down maint 0% | down drain 0%
stats 500        | down ready 0%  | down drain 0% | down maint 0% | down drain 0%
stats timeout    | down ready 0%  | down drain 0% | down maint 0% | down drain 0%
stats invalid    | down ready 0%  | down drain 0% | down maint 0% | down drain 0%
prosody 500      | down ready 50% | down drain 0% | down maint 0% | down drain 50%
