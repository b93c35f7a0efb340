# What was wrong before there was a verdict was never reported, so nothing is dampened.
unseen
0s  jicofo refused, prosody timeout  → no verdict
1s  jicofo 200, prosody 200          → no verdict
2s  ready                            → up ready 100% runs 0
