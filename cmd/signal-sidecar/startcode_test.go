package main_test

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/signal-sidecar/signal-sidecar/testbed"
)

// TestCodeOfTheStartIsUnmapped: half of the code is what a start touches at least; polls and answers touch less.
func TestCodeOfTheStartIsUnmapped(t *testing.T) {
	s := startShard(t, vars{"POLLING_INTERVAL": "5"})
	s.becomes(t, "up ready 100%")
	testbed.Eventually(t, "most of the code to be unmapped", bound, func() bool {
		size, resident := s.code(t)
		return resident < size/2
	})
	s.becomes(t, "up ready 100%") // it still knows how
}

// code is how much code the binary has, and how much of that is mapped into memory, in KiB.
func (s *sidecar) code(t *testing.T) (size, resident int) {
	t.Helper()
	process := fmt.Sprintf("/proc/%d/", s.Cmd.Process.Pid)
	program, err := os.Readlink(process + "exe")
	testbed.Must(t, err)
	inCode := false
	for line := range strings.Lines(testbed.Contents(process + "smaps")) {
		if mapping := strings.Fields(line); strings.Contains(mapping[0], "-") {
			inCode = strings.HasPrefix(mapping[1], "r-x") && mapping[len(mapping)-1] == program
		}
		if inCode {
			_, _ = fmt.Sscanf(line, "Size: %d kB", &size)
			_, _ = fmt.Sscanf(line, "Rss: %d kB", &resident)
		}
	}
	if size == 0 {
		t.Fatal("the process does not tell its code")
	}
	return size, resident
}
