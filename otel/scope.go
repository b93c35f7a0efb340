package otel

import (
	"strings"

	"go.opentelemetry.io/otel/metric"
	"go.opentelemetry.io/otel/trace"
)

const (
	module = "github.com/signal-sidecar/signal-sidecar"
	scope  = module + "/otel"
)

// versionedMeters gives the scopes of this module the version of the build. Other libraries have versions of their own.
type versionedMeters struct {
	metric.MeterProvider
	version string
}

// Meter implements metric.MeterProvider.
func (p versionedMeters) Meter(name string, options ...metric.MeterOption) metric.Meter {
	if strings.HasPrefix(name, module) {
		options = append(options, metric.WithInstrumentationVersion(p.version))
	}
	return p.MeterProvider.Meter(name, options...)
}

// versionedTracers is the same for traces.
type versionedTracers struct {
	trace.TracerProvider
	version string
}

// Tracer implements trace.TracerProvider.
func (p versionedTracers) Tracer(name string, options ...trace.TracerOption) trace.Tracer {
	if strings.HasPrefix(name, module) {
		options = append(options, trace.WithInstrumentationVersion(p.version))
	}
	return p.TracerProvider.Tracer(name, options...)
}
