package otel

import (
	"testing"

	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
	"go.opentelemetry.io/otel/trace"
)

// TestScopesOfSpansHaveAVersion checks that scopes of this module have the version of the build, and those of libraries
// their own.
func TestScopesOfSpansHaveAVersion(t *testing.T) {
	spans := tracetest.NewSpanRecorder()
	provider := versionedTracers{sdktrace.NewTracerProvider(sdktrace.WithSpanProcessor(spans)), "v1.2.3"}
	for _, tracer := range []trace.Tracer{
		provider.Tracer(module + "/collector"),
		provider.Tracer("example.com/library", trace.WithInstrumentationVersion("v9")),
	} {
		_, span := tracer.Start(t.Context(), "test")
		span.End()
	}
	for i, want := range []string{"v1.2.3", "v9"} {
		if scope := spans.Ended()[i].InstrumentationScope(); scope.Version != want {
			t.Errorf("scope %s has version %q, want %q", scope.Name, scope.Version, want)
		}
	}
}
