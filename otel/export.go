package otel

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"strconv"
	"strings"
	"sync/atomic"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"
)

// exporting reports whether a signal (TRACES, METRICS or LOGS) is pushed: only when an exporter or an endpoint is named
// (OpenTelemetry specification, Environment Variables). The specification's own default would push to localhost.
func exporting(signal string) bool {
	if strings.EqualFold(strings.TrimSpace(os.Getenv("OTEL_SDK_DISABLED")), "true") {
		return false
	}
	if exporter := os.Getenv("OTEL_" + signal + "_EXPORTER"); exporter != "" {
		return exporter != "none"
	}
	return os.Getenv("OTEL_EXPORTER_OTLP_ENDPOINT") != "" || os.Getenv("OTEL_EXPORTER_OTLP_"+signal+"_ENDPOINT") != ""
}

// positive reads a bound from the environment, as the SDK does; what is not a positive number is ignored.
func positive(variable string, sdkDefault int) int {
	if n, err := strconv.Atoi(strings.TrimSpace(os.Getenv(variable))); err == nil && n > 0 {
		return n
	}
	return sdkDefault
}

// ledger counts what became of the items of one signal, and logs when its export begins and ends to fail.
type ledger struct {
	signal string
	log    *slog.Logger // never one that exports: a failure would feed on itself

	exported, failed, dropped atomic.Int64
	failing                   atomic.Bool
}

// settle books a batch that an exporter has dealt with.
func (l *ledger) settle(n int, err error) {
	if err != nil {
		l.failed.Add(int64(n))
		if !l.failing.Swap(true) {
			l.log.Warn("telemetry export began to fail", "signal", l.signal, "error", err)
		}
		return
	}
	l.exported.Add(int64(n))
	if l.failing.Swap(false) {
		l.log.Info("telemetry export works again", "signal", l.signal, "failed", l.failed.Load(), "dropped", l.dropped.Load())
	}
}

// register shows the ledgers as metrics.
func register(meter metric.Meter, ledgers []*ledger) error {
	_, err := meter.Int64ObservableCounter("signal.otlp.items",
		metric.WithUnit("{item}"), metric.WithDescription("Number of spans, log records and metric collections by what became of them: exported, failed (the backend did not take them) or dropped (the queue was full)."),
		metric.WithInt64Callback(func(_ context.Context, o metric.Int64Observer) error {
			for _, l := range ledgers {
				observe := func(n *atomic.Int64, result string) {
					o.Observe(n.Load(), metric.WithAttributes(attribute.String("signal", l.signal), attribute.String("result", result)))
				}
				observe(&l.exported, "exported")
				observe(&l.failed, "failed")
				observe(&l.dropped, "dropped")
			}
			return nil
		}))
	if err != nil {
		return fmt.Errorf("create export instruments: %w", err)
	}
	return nil
}
