package otel

import (
	"context"

	"github.com/google/uuid"
	"go.opentelemetry.io/otel/sdk/resource"
	semconv "go.opentelemetry.io/otel/semconv/v1.43.0"
)

// NewInstance returns an identity for this process, a random UUID (semantic conventions, service.instance.id).
func NewInstance() string { return uuid.NewString() }

// newResource describes the process. OTEL_RESOURCE_ATTRIBUTES and OTEL_SERVICE_NAME override the defaults. With an
// error it still returns the known attributes.
func newResource(ctx context.Context, o Options) (*resource.Resource, error) {
	return resource.New(ctx,
		resource.WithTelemetrySDK(),
		resource.WithHost(),
		resource.WithProcessPID(),
		resource.WithProcessExecutableName(),
		resource.WithProcessRuntimeName(),
		resource.WithProcessRuntimeVersion(),
		resource.WithAttributes(
			semconv.ServiceName("signal-sidecar"),
			semconv.ServiceVersion(o.Build.Version),
			semconv.ServiceInstanceID(o.Instance)),
		resource.WithFromEnv())
}
