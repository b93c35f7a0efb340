package main_test

import "time"

// bound is how long a test waits for what must happen; none takes as long unless it fails.
const bound = 20 * time.Second
