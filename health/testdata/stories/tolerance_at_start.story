# Before a service was seen healthy nothing is tolerated.
set UNREACHABLE_TOLERANCE=2
unseen
0s  ready            → no verdict
0s  jicofo 200       → no verdict
0s  prosody refused  → down ready 100% tolerated none reason prosody_unreachable
