package otel

import (
	"fmt"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/procfs"
	"golang.org/x/sys/unix"
)

// process collects the metrics of this process that Prometheus' client libraries agree on
// (https://prometheus.io/docs/instrumenting/writing_clientlibs/#process-metrics). client_golang's own collector reads the
// boot time, the limits as text and the network counters of the whole host each time, and was a fifth of a scrape; and its
// CPU time comes in ticks of 10 ms.
type process struct {
	proc                     procfs.Proc
	cpu, openFiles, maxFiles *prometheus.Desc
	virtual, maxVirtual, rss *prometheus.Desc
	start                    prometheus.Metric
}

func newProcess() (*process, error) {
	self, err := procfs.Self()
	if err != nil {
		return nil, fmt.Errorf("metrics of the process: %w", err)
	}
	stat, err := self.Stat()
	if err != nil {
		return nil, fmt.Errorf("metrics of the process: %w", err)
	}
	started, err := stat.StartTime()
	if err != nil {
		return nil, fmt.Errorf("start time of the process: %w", err)
	}
	describe := func(name, help string) *prometheus.Desc { return prometheus.NewDesc("process_"+name, help, nil, nil) }
	return &process{
		proc:       self,
		cpu:        describe("cpu_seconds_total", "Total user and system CPU time spent in seconds."),
		openFiles:  describe("open_fds", "Number of open file descriptors."),
		maxFiles:   describe("max_fds", "Maximum number of open file descriptors."),
		virtual:    describe("virtual_memory_bytes", "Virtual memory size in bytes."),
		maxVirtual: describe("virtual_memory_max_bytes", "Maximum amount of virtual memory available in bytes."),
		rss:        describe("resident_memory_bytes", "Resident memory size in bytes."),
		start: prometheus.MustNewConstMetric(
			describe("start_time_seconds", "Start time of the process since unix epoch in seconds."), prometheus.GaugeValue, started),
	}, nil
}

// Describe implements prometheus.Collector.
func (p *process) Describe(descriptions chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{p.cpu, p.openFiles, p.maxFiles, p.virtual, p.maxVirtual, p.rss, p.start.Desc()} {
		descriptions <- d
	}
}

// Collect implements prometheus.Collector. What cannot be read is left out.
func (p *process) Collect(metrics chan<- prometheus.Metric) {
	gauge := func(d *prometheus.Desc, value float64) {
		metrics <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, value)
	}
	metrics <- p.start
	var used unix.Rusage
	if unix.Getrusage(unix.RUSAGE_SELF, &used) == nil {
		seconds := time.Duration(used.Utime.Nano() + used.Stime.Nano()).Seconds()
		metrics <- prometheus.MustNewConstMetric(p.cpu, prometheus.CounterValue, seconds)
	}
	if memory, err := p.proc.Statm(); err == nil {
		gauge(p.virtual, float64(memory.SizeBytes()))
		gauge(p.rss, float64(memory.ResidentBytes()))
	}
	if files, err := p.proc.FileDescriptorsLen(); err == nil {
		gauge(p.openFiles, float64(files))
	}
	var limit unix.Rlimit
	if unix.Getrlimit(unix.RLIMIT_NOFILE, &limit) == nil {
		gauge(p.maxFiles, float64(limit.Cur))
	}
	if unix.Getrlimit(unix.RLIMIT_AS, &limit) == nil {
		gauge(p.maxVirtual, float64(limit.Cur))
	}
}
