package main

import (
	"bufio"
	"debug/buildinfo"
	"fmt"
	"os"
	"runtime"
	"runtime/debug"
	"strings"
	"time"
)

// machine describes the circumstances of the measurement.
type machine struct{ cpu, kernel, binary, command, load string }

func newMachine(binary, command string) machine {
	m := machine{cpu: "unknown CPU", kernel: "unknown", binary: "a binary that without build information",
		command: command}
	if f, err := os.Open("/proc/cpuinfo"); err == nil {
		defer f.Close()
		lines := bufio.NewScanner(f)
		for lines.Scan() {
			if name, value, found := strings.Cut(lines.Text(), ":"); found && strings.TrimSpace(name) == "model name" {
				m.cpu = strings.TrimSpace(value)
				break
			}
		}
	}
	if release, err := os.ReadFile("/proc/sys/kernel/osrelease"); err == nil {
		m.kernel = strings.TrimSpace(string(release))
	}
	if load, err := os.ReadFile("/proc/loadavg"); err == nil {
		m.load = strings.Join(strings.Fields(string(load))[:3], " ")
	}
	if info, err := buildinfo.ReadFile(binary); err == nil {
		m.binary = "built by " + info.GoVersion + revision(info.Settings)
	}
	return m
}

func revision(settings []debug.BuildSetting) string {
	text := ""
	for _, s := range settings {
		switch {
		case s.Key == "vcs.revision":
			text = ", revision " + s.Value[:min(len(s.Value), 12)] + text
		case s.Key == "vcs.modified" && s.Value == "true":
			text += " with changes"
		}
	}
	return text
}

func (m machine) facts() []string {
	return []string{
		fmt.Sprintf("machine: %s, %d cores, Linux %s, a virtual machine that others share", m.cpu, runtime.NumCPU(),
			m.kernel),
		fmt.Sprintf("binary: %s", m.binary),
		fmt.Sprintf("load average before the run, on so many cores: %s", m.load),
		fmt.Sprintf("date: %s", time.Now().UTC().Format("2006-01-02 15:04 UTC")),
		fmt.Sprintf("command: `%s`", m.command),
	}
}
