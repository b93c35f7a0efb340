package otel

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

// LogQueue is a bounded queue between the log and its destination, which may be a pipe with a slow reader or with none.
// A line for which there is no room, or that cannot be written, is dropped and counted. Logging never waits for a
// write.
type LogQueue struct {
	out         io.Writer
	lines       chan []byte
	stop, ended chan struct{}
	dropped     atomic.Int64
}

// NewLogQueue returns a queue and starts to write its lines.
func NewLogQueue(out io.Writer) *LogQueue {
	q := &LogQueue{
		out: out, lines: make(chan []byte, maxQueuedLines), stop: make(chan struct{}), ended: make(chan struct{}),
	}
	go q.run()
	return q
}

// run writes lines until it is stopped, and then those that are queued.
func (q *LogQueue) run() {
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
func (q *LogQueue) Write(line []byte) (int, error) {
	select {
	case q.lines <- bytes.Clone(line):
	default:
		q.dropped.Add(1)
	}
	return len(line), nil
}

// Close writes the lines that are queued, within the limit. Lines that are logged later may be lost.
func (q *LogQueue) Close(limit time.Duration) {
	close(q.stop)
	select {
	case <-q.ended:
	case <-time.After(limit):
	}
}

// Register creates the metric of the lines that were dropped.
func (q *LogQueue) Register(provider metric.MeterProvider) error {
	_, err := provider.Meter(scope).Int64ObservableCounter("signal.log.dropped",
		metric.WithUnit("{line}"),
		metric.WithDescription("Number of log lines that were lost: the queue was full, or the line could not be "+
			"written."),
		metric.WithInt64Callback(func(_ context.Context, o metric.Int64Observer) error {
			o.Observe(q.dropped.Load())
			return nil
		}))
	if err != nil {
		return fmt.Errorf("create log instruments: %w", err)
	}
	return nil
}
