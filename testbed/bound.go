package testbed

import "time"

// Bound limits every wait of the testbed. A wait takes this long only if it fails.
const Bound = 30 * time.Second
