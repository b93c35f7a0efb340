package main_test

import "time"

// bound is how long a test waits for an event. No event takes that long unless the test fails.
const bound = 20 * time.Second
