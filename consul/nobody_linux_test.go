package consul

import (
	"os"
	"runtime"
	"syscall"
	"testing"
)

const nobodyID = 65534

// asNobody calls a function without root's file permissions, if without is true. Other users do not have them anyway.
func asNobody(t *testing.T, without bool, call func()) {
	if !without || os.Geteuid() != 0 {
		call()
		return
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		runtime.LockOSThread() // never unlocked: the thread ends with the goroutine
		if err := syscall.Setfsuid(nobodyID); err != nil {
			t.Errorf("become nobody: %v", err)
		}
		call()
	}()
	<-done
}
