package otel

import (
	"context"
	"fmt"
	"runtime/debug"
	"strings"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"
)

// Build identifies a binary.
type Build struct {
	Version   string // of the module, "(devel)" outside a release
	Revision  string // of the source, "" where the build did not record it
	Modified  bool   // the source differed from Revision
	Date      string // of the revision, as YYYY-MM-DD; "" where there is none
	GoVersion string
}

// ReadBuild reads what the Go linker recorded in the running binary.
func ReadBuild() Build {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return Build{Version: "unknown"}
	}
	b := Build{Version: info.Main.Version, GoVersion: info.GoVersion}
	for _, s := range info.Settings {
		switch s.Key {
		case "vcs.revision":
			b.Revision = s.Value
		case "vcs.time": // RFC 3339
			b.Date, _, _ = strings.Cut(s.Value, "T")
		case "vcs.modified":
			b.Modified = s.Value == "true"
		}
	}
	return b
}

// register creates the metric of the build.
func (b Build) register(provider metric.MeterProvider) error {
	labels := metric.WithAttributeSet(attribute.NewSet(
		attribute.String("version", b.Version),
		attribute.String("revision", b.Revision),
		attribute.String("goversion", b.GoVersion)))
	_, err := provider.Meter(scope).Int64ObservableGauge("signal.build_info",
		metric.WithUnit("{build}"), metric.WithDescription("Always 1; the labels identify the build of signal-sidecar that runs."),
		metric.WithInt64Callback(func(_ context.Context, o metric.Int64Observer) error {
			o.Observe(1, labels)
			return nil
		}))
	if err != nil {
		return fmt.Errorf("create build metric: %w", err)
	}
	return nil
}
