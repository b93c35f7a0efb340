package collector

import (
	"encoding/json"
	"testing"
	"time"
)

// TestSeconds checks that durations print with at most six decimals.
func TestSeconds(t *testing.T) {
	for d := range time.Duration(5000) {
		text, err := json.Marshal(seconds(2670968*time.Microsecond + d*999*time.Microsecond))
		if err != nil || len(text) > len("2.670968") {
			t.Fatalf("%s, %v", text, err)
		}
	}
}
