package testbed

import "time"

// Bound is how long the testbed itself waits for what must happen; nothing takes as long unless it fails.
const Bound = 30 * time.Second
