package otel

import (
	"os"
	"strconv"
	"strings"
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

// queueSize reads the bound of a batch processor's queue from the environment, as the SDK does. A value that is not a
// positive number is ignored.
func queueSize(variable string, sdkDefault int) int {
	if n, err := strconv.Atoi(strings.TrimSpace(os.Getenv(variable))); err == nil && n > 0 {
		return n
	}
	return sdkDefault
}
