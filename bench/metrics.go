package main

import (
	"bytes"
	"errors"
	"fmt"
	"time"

	"github.com/signal-sidecar/signal-sidecar/signalnode"
)

// The CPU time that the Node original needs for a scrape of its 190 series: the lowest of the measured figures.
const (
	originalScrape = 550 // µs
	originalSeries = 190
)

// countSeries counts the samples in the Prometheus text format.
func countSeries(text []byte) (n int) {
	for line := range bytes.Lines(text) {
		if line = bytes.TrimSpace(line); len(line) > 0 && line[0] != '#' {
			n++
		}
	}
	return n
}

// scrape puts the sidecar's scrape endpoint under load, in turn with others. It also returns the number of series and
// the size of one scrape in bytes.
func (b *bench) scrape(car *sidecar, rounds int, others ...target) (loads [][]load, series, size int, err error) {
	sample, err := fetch(car.http, "/metrics")
	if err != nil {
		return nil, 0, 0, err
	}
	targets := append([]target{requests(car.pid(), car.http, "/metrics")}, others...)
	loads, err = inTurn(rounds, 1, pick(b, 1500*time.Millisecond, 400*time.Millisecond), targets...)
	return loads, countSeries(sample.Body), len(sample.Body), err
}

func measureMetrics(b *bench) (section, error) {
	s := section{title: "Scrape",
		how: "One scraper on a kept connection, one scrape after the other, in the text format. " +
			"The goals are the original's 550 µs (the lower of what was measured, 550–750 µs) and half of that per series."}
	car, err := b.start(env{"CENSUS_POLL": "true", "CENSUS_HOST": signalnode.Domain, "POLLING_INTERVAL": "1"})
	if err != nil {
		return s, err
	}
	defer car.stop() //nolint:errcheck // it stops after the measurement
	for _, path := range []string{"/signal/health", "/signal/report"} {
		if _, err := fetch(car.http, path); err != nil {
			return s, err
		}
	}
	bare, same, err := startBare(car, "/metrics")
	if err != nil {
		return s, err
	}
	defer endChild(bare)
	loads, series, size, err := b.scrape(car, pick(b, 7, 3), same)
	if err != nil {
		return s, err
	}
	own, floor := of(loads[0], load.cost), of(loads[1], load.cost)
	cost := median(own)
	s.rows = append(s.rows,
		unchecked("/metrics: series, bytes", fmt.Sprintf("%d, %d", series, size)),
		atMost("/metrics: CPU per scrape", originalScrape, cost, 0, "µs"),
		atMost("/metrics: CPU per series", 1.45, cost/float64(series), 2, "µs"),
		unchecked("/metrics: CPU per scrape, times a bare handler's that sends the same bytes",
			amount(medianRatio(own, floor), 1, "×")))
	return s, nil
}

func measureSeries(b *bench) (section, error) {
	s := section{title: "Growth: scrape against series",
		how: "The number of series grows with the kinds of events: a new sidecar, then requests of each kind, then each kind of failed probe. " +
			"The number is bounded, because labels never come from outside.",
		growth: [][]string{{"", "series", "CPU per scrape", "CPU per series"}}}
	car, err := b.start(env{"CENSUS_POLL": "true", "CENSUS_HOST": signalnode.Domain, "POLLING_INTERVAL": "0.1",
		"PROBE_TIMEOUT": "0.05"})
	if err != nil {
		return s, err
	}
	defer car.stop() //nolint:errcheck // it stops after the measurement
	for _, step := range []struct {
		name string
		do   func() error
	}{
		{"fresh", func() error { return nil }},
		{"after a request of each kind", car.requestAll},
		{"after failures of every kind", car.failAll},
	} {
		if err := step.do(); err != nil {
			return s, err
		}
		loads, series, _, err := b.scrape(car, pick(b, 3, 2))
		if err != nil {
			return s, err
		}
		cost := median(of(loads[0], load.cost))
		s.growth = append(s.growth,
			[]string{step.name, fmt.Sprint(series), amount(cost, 0, "µs"), amount(cost/float64(series), 2, "µs")})
	}
	return s, nil
}

// requestAll requests every path.
func (s *sidecar) requestAll() error {
	var failures []error
	for _, path := range []string{"/health", "/signal/health", "/about/health", "/signal/report", "/signal/explain",
		"/signal/census", "/signal/history"} {
		_, err := fetch(s.http, path)
		failures = append(failures, err)
	}
	return errors.Join(failures...)
}

// failAll makes both services fail in each way for a few polls, and recover.
func (s *sidecar) failAll() error {
	services := []*signalnode.Service{s.node.Jicofo, s.node.Prosody}
	for _, failure := range []string{"code 503", "code 500", "code 404", "notjson", "redirect loop", "hang", "huge",
		"truncate", "reset", "garbage"} {
		for _, service := range services {
			service.Set("", signalnode.MustParseBehavior(failure))
		}
		nap(250 * time.Millisecond)
	}
	for _, service := range services {
		if err := service.Crash(); err != nil {
			return err
		}
		nap(250 * time.Millisecond)
		if err := service.Recover(); err != nil {
			return err
		}
	}
	_, err := s.await(5*time.Millisecond, isUp)
	return err
}
