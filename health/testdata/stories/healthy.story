# A node on which nothing is wrong: up, ready, the whole weight, and no reasons.
0s     ready, jicofo 200, participants 100, prosody 200  → up ready 100% reason none runs 0
5s     jicofo 200                                        → up ready 100% reason none
3600s                                                    → up ready 100% status ready reason none runs 0
