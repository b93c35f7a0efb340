package main

import (
	"errors"
	"net/url"
	"os"
	"strconv"
	"strings"
)

// The OTEL_* variables are the SDK's to read. What it would make of a bad one is a start without telemetry, or a word on
// standard error: so those that say where to push are checked like any other setting. Each signal may have its own.
var otelSignals = []string{"_TRACES", "_METRICS", "_LOGS"}

// checkOpenTelemetry finds the problems of the variables that are set.
func (r *reader) checkOpenTelemetry(env *environment) {
	check := func(name string, parse func(string) error) {
		raw := os.Getenv(name)
		if raw == "" {
			return
		}
		if err := parse(raw); err != nil {
			r.problem(name, value{raw, env.originOf(name)}, err)
		}
	}
	check("OTEL_TRACES_EXPORTER", parsed(oneOf("otlp", "console", "none")))
	check("OTEL_LOGS_EXPORTER", parsed(oneOf("otlp", "console", "none")))
	check("OTEL_METRICS_EXPORTER", parsed(oneOf("otlp", "console", "prometheus", "none")))
	check("OTEL_TRACES_SAMPLER", parsed(oneOf("always_on", "always_off", "traceidratio",
		"parentbased_always_on", "parentbased_always_off", "parentbased_traceidratio")))
	if strings.HasSuffix(os.Getenv("OTEL_TRACES_SAMPLER"), "traceidratio") {
		check("OTEL_TRACES_SAMPLER_ARG", ratio)
	}
	for _, signal := range append([]string{""}, otelSignals...) {
		prefix := "OTEL_EXPORTER_OTLP" + signal
		check(prefix+"_PROTOCOL", parsed(oneOf("grpc", "http/protobuf")))
		check(prefix+"_ENDPOINT", otlpEndpoint)
		check(prefix+"_HEADERS", otlpHeaders)
		for _, file := range []string{"_CERTIFICATE", "_CLIENT_CERTIFICATE", "_CLIENT_KEY"} {
			check(prefix+file, readableFile)
		}
	}
}

// parsed drops the value of a parser.
func parsed[T any](parse func(string) (T, error)) func(string) error {
	return func(s string) error {
		_, err := parse(s)
		return err
	}
}

func ratio(s string) error {
	if n, err := strconv.ParseFloat(s, 64); err != nil || !(n >= 0 && n <= 1) {
		return errors.New("a number from 0 to 1")
	}
	return nil
}

func otlpEndpoint(s string) error {
	if u, err := url.Parse(s); err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" {
		return errors.New("a URL with http or https and a host, such as http://localhost:4318")
	}
	return nil
}

// otlpHeaders reads key=value pairs parted by commas, the values percent-encoded (W3C Baggage).
func otlpHeaders(s string) error {
	for pair := range strings.SplitSeq(s, ",") {
		key, text, found := strings.Cut(pair, "=")
		if _, err := url.PathUnescape(text); !found || strings.TrimSpace(key) == "" || err != nil {
			return errors.New("key=value pairs parted by commas, the values percent-encoded")
		}
	}
	return nil
}

func readableFile(path string) error {
	f, err := os.Open(path)
	if err != nil {
		return errors.New("a file that can be read")
	}
	return f.Close()
}
