package otel

import (
	"context"
	"crypto/rand"
	"encoding/hex"

	"go.opentelemetry.io/otel/sdk/resource"
	semconv "go.opentelemetry.io/otel/semconv/v1.43.0"
)

// NewInstance returns an identity for this process, 8 hexadecimal digits.
func NewInstance() string {
	var id [4]byte
	_, _ = rand.Read(id[:]) // never fails (crypto/rand)
	return hex.EncodeToString(id[:])
}

// newResource describes the process; OTEL_RESOURCE_ATTRIBUTES and OTEL_SERVICE_NAME win over the defaults. With an
// error it returns what is known all the same.
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
