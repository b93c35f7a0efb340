package main

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// mebi is a mebibyte in kB, the kernel's unit.
const mebi = 1024

// cpuTime returns the CPU time that a process has used, exact to the nanosecond, unlike /proc/PID/stat, which counts in
// units of 10 ms. It fails on systems other than Linux.
func cpuTime(pid int) (time.Duration, error) {
	const wholeProcess = 2 // clock_getcpuclockid(3)
	var spent unix.Timespec
	if err := unix.ClockGettime(int32(^pid<<3|wholeProcess), &spent); err != nil { //nolint:gosec // 22-bit process id
		return 0, fmt.Errorf("read the CPU clock of process %d: %w", pid, err)
	}
	return time.Duration(spent.Nano()), nil
}

// memory is the memory of a process, in kB.
type memory struct{ anonymous, rss int }

func readMemory(pid int) (memory, error) {
	values, err := readFields(fmt.Sprintf("/proc/%d/smaps_rollup", pid))
	return memory{values["Anonymous"], values["Rss"]}, err
}

// forgetPeak resets the kernel's record of the peak memory of a process (proc(5), clear_refs).
func forgetPeak(pid int) error {
	return os.WriteFile(fmt.Sprintf("/proc/%d/clear_refs", pid), []byte("5"), 0)
}

// peakMemory returns the peak memory of a process since its start or the last forgetPeak, in kB.
func peakMemory(pid int) (int, error) {
	values, err := readFields(fmt.Sprintf("/proc/%d/status", pid))
	return values["VmHWM"], err
}

func readFields(path string) (map[string]int, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return parseFields(f)
}

// parseFields reads lines such as "Rss:   1234 kB" and skips all others.
func parseFields(r io.Reader) (map[string]int, error) {
	values := map[string]int{}
	lines := bufio.NewScanner(r)
	for lines.Scan() {
		name, rest, _ := strings.Cut(lines.Text(), ":")
		var kB int
		var unit string
		if n, _ := fmt.Sscan(rest, &kB, &unit); n == 2 && unit == "kB" {
			values[name] = kB
		}
	}
	return values, lines.Err()
}
