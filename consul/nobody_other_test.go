//go:build !linux

package consul

import (
	"os"
	"testing"
)

const nobodyID = 65534

// asNobody skips the test for root: a thread cannot drop root's file permissions here.
func asNobody(t *testing.T, without bool, call func()) {
	if without && os.Geteuid() == 0 {
		t.Skip("root can write everywhere")
	}
	call()
}
