package consul

import (
	"context"
	"fmt"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"

	"github.com/signal-sidecar/signal-sidecar/health"
)

// wantedWords are the values of the attribute status: a known word, or unknown for a value that is none and for a
// missing key.
var wantedWords = []health.Word{
	health.WordReady, health.WordDrain, health.WordMaint, health.WordUnhealthy, health.WordUnknown,
}

// differs reports whether the status file contains another word than the key. It is false while the key has no known
// word.
func (w *Watch) differs() bool {
	wanted, has := w.Status().Word, w.FileWord()
	return wanted.Known() && has != "" && has != wanted
}

// register registers the metrics of the key.
func (w *Watch) register() error {
	meter := w.MeterProvider.Meter(scope)
	wanted, err1 := meter.Int64ObservableGauge("signal.consul.status", metric.WithUnit("{status}"),
		metric.WithDescription("1 for the status that CONSUL_STATUS_KEY contains, 0 for the others; unknown for a missing key and for a value that is no known word."))
	changed, err2 := meter.Float64ObservableGauge("signal.consul.status.timestamp", metric.WithUnit("s"),
		metric.WithDescription("When the sidecar saw the current value of CONSUL_STATUS_KEY first, in seconds since the epoch."))
	differs, err3 := meter.Int64ObservableGauge("signal.consul.status.differs", metric.WithUnit("{file}"),
		metric.WithDescription("Whether the status file contains another word than CONSUL_STATUS_KEY, 1 or 0."))
	for _, err := range []error{err1, err2, err3} {
		if err != nil {
			return fmt.Errorf("create consul instruments: %w", err)
		}
	}
	_, err := meter.RegisterCallback(func(_ context.Context, o metric.Observer) error {
		s := w.Status()
		if s.Changed.IsZero() {
			return nil
		}
		for _, word := range wantedWords {
			o.ObserveInt64(wanted, truth(word == s.Word), metric.WithAttributes(attribute.String("status", string(word))))
		}
		o.ObserveFloat64(changed, float64(s.Changed.UnixMilli())/1000)
		o.ObserveInt64(differs, truth(w.differs()))
		return nil
	}, wanted, changed, differs)
	return err
}

func truth(b bool) int64 {
	if b {
		return 1
	}
	return 0
}
