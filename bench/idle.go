package main

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"time"

	"github.com/signal-sidecar/signal-sidecar/signalnode"
)

// usage is what a process used during a time without requests.
type usage struct {
	cpu    time.Duration
	took   time.Duration
	memory memory // at the end of that time
}

// core returns the used part of one core, in percent.
func (u usage) core() float64 { return 100 * u.cpu.Seconds() / u.took.Seconds() }

// watch measures a process for the time d, which begins after the time warmup.
func watch(pid int, warmup, d time.Duration) (u usage, err error) {
	nap(warmup)
	before, err := cpuTime(pid)
	if err != nil {
		return u, err
	}
	began := time.Now()
	nap(d)
	after, err := cpuTime(pid)
	if err != nil {
		return u, err
	}
	u.cpu, u.took = after-before, time.Since(began)
	u.memory, err = readMemory(pid)
	return u, err
}

func measureIdle(b *bench) (section, error) {
	window := pick(b, 60*time.Second, 8*time.Second)
	s := section{title: "Idle",
		how: fmt.Sprintf("POLLING_INTERVAL=5, everything local on (census of three rooms, metrics, history, the held port where there is one), no client sends requests. "+
			"A second sidecar has the same with traces, metrics and logs pushed over OTLP (HTTP) to a sink that accepts everything, each minute and each batch as by default. "+
			"CPU over %v; memory from `/proc/PID/smaps_rollup` at its end.", window)}
	var pushed atomic.Int64
	sink := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		n, _ := io.Copy(io.Discard, r.Body)
		pushed.Add(n)
	}))
	defer sink.Close()
	local := env{"CENSUS_POLL": "true", "CENSUS_HOST": signalnode.Domain}
	push := env{"CENSUS_POLL": "true", "CENSUS_HOST": signalnode.Domain,
		"OTEL_EXPORTER_OTLP_ENDPOINT": sink.URL, "OTEL_EXPORTER_OTLP_PROTOCOL": "http/protobuf"}
	var used [2]usage
	err := lanes(2, func(lane int) error {
		car, err := b.start([]env{local, push}[lane])
		if err != nil {
			return err
		}
		defer car.stop() //nolint:errcheck // it stops after the measurement
		used[lane], err = watch(car.pid(), pick(b, 5*time.Second, 3*time.Second), window)
		return err
	})
	if err != nil {
		return s, err
	}
	s.rows = append(idleRows("idle, local", used[0], 8), idleRows("idle, OTLP", used[1], 12)...)
	s.notes = append(s.notes, fmt.Sprintf("The sink took %d bytes in all, until the sidecar had ended.", pushed.Load()))
	return s, nil
}

func idleRows(who string, u usage, anonymous float64) []row {
	return []row{
		atMost(who+": CPU, % of a core", .1, u.core(), 3, "%"),
		atMost(who+": anonymous memory", anonymous, float64(u.memory.anonymous)/mebi, 1, "MiB"),
		unchecked(who+": RSS", amount(float64(u.memory.rss)/mebi, 1, "MiB")),
	}
}
