//go:build !linux || portable

package collector

import (
	"os"
	"testing"
)

// asNobody skips the test for root: only on Linux can a single thread give up root's file permissions.
func asNobody(t *testing.T, c Collector) Collector {
	t.Helper()
	if os.Geteuid() == 0 {
		t.Skip("root may read every file")
	}
	return c
}
