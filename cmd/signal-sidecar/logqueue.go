package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"sync/atomic"
	"time"

	"go.opentelemetry.io/otel/metric"
)

// maxQueuedLines bounds the lines that wait to be written.
const maxQueuedLines = 1024

// logQueue is a bounded queue between the log and its destination, which may be a pipe with a slow reader or with none.
// A line that finds the queue full, or that cannot be written, is dropped and counted. Logging never waits for a write.
type logQueue struct {
	out         io.Writer
	lines       chan []byte
	stop, ended chan struct{}
	dropped     atomic.Int64
}

// newLogQueue starts to write what is logged.
func newLogQueue(out io.Writer) *logQueue {
	q := &logQueue{out: out, lines: make(chan []byte, maxQueuedLines), stop: make(chan struct{}), ended: make(chan struct{})}
	go q.run()
	return q
}

// run writes lines until it is stopped, and then what is left.
func (q *logQueue) run() {
	defer close(q.ended)
	stop := q.stop
	for {
		if stop == nil && len(q.lines) == 0 {
			return
		}
		select {
		case line := <-q.lines:
			if n, err := q.out.Write(line); err != nil || n < len(line) {
				q.dropped.Add(1)
			}
		case <-stop:
			stop = nil
		}
	}
}

// Write implements io.Writer for one line; it never fails.
func (q *logQueue) Write(line []byte) (int, error) {
	select {
	case q.lines <- bytes.Clone(line):
	default:
		q.dropped.Add(1)
	}
	return len(line), nil
}

// close writes what is left, for as long as that may take. What is logged after it may be lost.
func (q *logQueue) close(limit time.Duration) {
	close(q.stop)
	select {
	case <-q.ended:
	case <-time.After(limit):
	}
}

// register creates the metric of the lines that were dropped.
func (q *logQueue) register(provider metric.MeterProvider) error {
	_, err := provider.Meter("github.com/signal-sidecar/signal-sidecar/cmd/signal-sidecar").Int64ObservableCounter("signal.log.dropped",
		metric.WithUnit("{line}"), metric.WithDescription("Number of log lines that were lost: the queue was full, or the line could not be written."),
		metric.WithInt64Callback(func(_ context.Context, o metric.Int64Observer) error {
			o.Observe(q.dropped.Load())
			return nil
		}))
	if err != nil {
		return fmt.Errorf("create log instruments: %w", err)
	}
	return nil
}
