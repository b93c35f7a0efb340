package main

import (
	"context"
	"fmt"

	"go.opentelemetry.io/otel/metric"
)

// registerNotices registers a gauge of the number of settings that are not in force as they were given. The log names
// them only once, at the start.
func registerNotices(provider metric.MeterProvider, n int) error {
	_, err := provider.Meter("github.com/signal-sidecar/signal-sidecar/cmd/signal-sidecar").
		Int64ObservableGauge("signal.settings.notices",
			metric.WithUnit("{setting}"),
			metric.WithDescription("Number of settings that are not in force as they were given; the log names them at the start, check-config at any time."),
			metric.WithInt64Callback(func(_ context.Context, o metric.Int64Observer) error {
				o.Observe(int64(n))
				return nil
			}))
	if err != nil {
		return fmt.Errorf("create settings instruments: %w", err)
	}
	return nil
}
