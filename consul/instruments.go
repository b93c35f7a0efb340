package consul

import (
	"errors"
	"fmt"

	"go.opentelemetry.io/otel/metric"
)

const scope = "github.com/signal-sidecar/signal-sidecar/consul"

// The operations, as an attribute of metrics.
const (
	operationWatch  = "watch"
	operationReport = "report"
)

// instruments are the metrics of both operations.
type instruments struct {
	success  metric.Int64Gauge
	failures metric.Int64Counter
}

func newInstruments(provider metric.MeterProvider) (in instruments, err error) {
	meter := provider.Meter(scope)
	var errs [2]error
	in.success, errs[0] = meter.Int64Gauge("signal.consul.success", metric.WithUnit("{operation}"),
		metric.WithDescription("Whether the latest watch of CONSUL_STATUS_KEY, or put of the report, worked, 1 or 0."))
	in.failures, errs[1] = meter.Int64Counter("signal.consul.failures", metric.WithUnit("{failure}"),
		metric.WithDescription("Number of failures by operation (watch, report) and kind."))
	if err := errors.Join(errs[:]...); err != nil {
		return in, fmt.Errorf("create consul instruments: %w", err)
	}
	return in, nil
}
