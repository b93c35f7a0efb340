package e2e

import "time"

// bound limits every wait of a test. A wait takes this long only if it fails.
const bound = 30 * time.Second
