package config

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
)

// The SDK reads the OTEL_* variables, but it ignores most bad values without a message. They are therefore checked here
// like every setting. Keywords are accepted in any case, as in the specification. The SDK accepts some in lower case
// only, so each checked variable is set to its usual spelling.

// otelSignals are the names of the signals in variables, and the path to which each is pushed.
var otelSignals = []struct{ name, path string }{
	{"TRACES", "/v1/traces"}, {"METRICS", "/v1/metrics"}, {"LOGS", "/v1/logs"},
}

// otelParsers are the parsers of the variables. Each returns the usual spelling. {OTLP} stands for OTEL_EXPORTER_OTLP
// and for OTEL_EXPORTER_OTLP_ with the name of each signal.
var otelParsers = map[string]func(string) (string, error){
	"OTEL_TRACES_EXPORTER":  oneOf("otlp", "console", "none"),
	"OTEL_LOGS_EXPORTER":    oneOf("otlp", "console", "none"),
	"OTEL_METRICS_EXPORTER": oneOf("otlp", "console", "prometheus", "none"),
	"OTEL_TRACES_SAMPLER": oneOf("always_on", "always_off", "traceidratio",
		"parentbased_always_on", "parentbased_always_off", "parentbased_traceidratio"),

	"{OTLP}_PROTOCOL":    oneOf("grpc", "http/protobuf"),
	"{OTLP}_ENDPOINT":    otlpEndpoint,
	"{OTLP}_HEADERS":     otlpHeaders,
	"{OTLP}_COMPRESSION": oneOf("gzip", "none"),
	"{OTLP}_TIMEOUT":     milliseconds,
	"{OTLP}_INSECURE":    oneOf("true", "false"),
	"{OTLP}_CERTIFICATE": certificates,

	"OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE": oneOf("cumulative", "delta", "lowmemory"),
	"OTEL_EXPORTER_OTLP_METRICS_DEFAULT_HISTOGRAM_AGGREGATION": oneOf(
		"explicit_bucket_histogram", "base2_exponential_bucket_histogram"),

	"OTEL_METRIC_EXPORT_INTERVAL":     milliseconds,
	"OTEL_METRIC_EXPORT_TIMEOUT":      milliseconds,
	"OTEL_METRICS_EXEMPLAR_FILTER":    oneOf("always_on", "always_off", "trace_based"),
	"OTEL_EXPORTER_PROMETHEUS_PORT":   portText,
	"OTEL_BSP_SCHEDULE_DELAY":         milliseconds,
	"OTEL_BSP_EXPORT_TIMEOUT":         milliseconds,
	"OTEL_BSP_MAX_QUEUE_SIZE":         quantity,
	"OTEL_BSP_MAX_EXPORT_BATCH_SIZE":  quantity,
	"OTEL_BLRP_SCHEDULE_DELAY":        milliseconds,
	"OTEL_BLRP_EXPORT_TIMEOUT":        milliseconds,
	"OTEL_BLRP_MAX_QUEUE_SIZE":        quantity,
	"OTEL_BLRP_MAX_EXPORT_BATCH_SIZE": quantity,

	"OTEL_ATTRIBUTE_COUNT_LIMIT":                  limit,
	"OTEL_ATTRIBUTE_VALUE_LENGTH_LIMIT":           limit,
	"OTEL_SPAN_ATTRIBUTE_COUNT_LIMIT":             limit,
	"OTEL_SPAN_ATTRIBUTE_VALUE_LENGTH_LIMIT":      limit,
	"OTEL_SPAN_EVENT_COUNT_LIMIT":                 limit,
	"OTEL_SPAN_LINK_COUNT_LIMIT":                  limit,
	"OTEL_EVENT_ATTRIBUTE_COUNT_LIMIT":            limit,
	"OTEL_LINK_ATTRIBUTE_COUNT_LIMIT":             limit,
	"OTEL_LOGRECORD_ATTRIBUTE_COUNT_LIMIT":        limit,
	"OTEL_LOGRECORD_ATTRIBUTE_VALUE_LENGTH_LIMIT": limit,

	"OTEL_SERVICE_NAME":        utf8Text,
	"OTEL_RESOURCE_ATTRIBUTES": resourceAttributes,
}

// otelCheck checks the variables of OpenTelemetry that are set.
type otelCheck struct {
	r       *reader
	env     *Environment
	notices []string
}

// checkOpenTelemetry records the problems of the variables and returns the notices.
func (r *reader) checkOpenTelemetry(env *Environment) (notices []string) {
	c := &otelCheck{r: r, env: env}
	for _, name := range slices.Sorted(maps.Keys(otelParsers)) {
		for _, prefix := range otlpPrefixes() {
			c.variable(strings.ReplaceAll(name, "{OTLP}", prefix), otelParsers[name])
			if !strings.Contains(name, "{OTLP}") {
				break
			}
		}
	}
	if strings.HasSuffix(os.Getenv("OTEL_TRACES_SAMPLER"), "traceidratio") {
		c.variable("OTEL_TRACES_SAMPLER_ARG", ratio)
	}
	for _, prefix := range otlpPrefixes() {
		c.clientCertificate(prefix+"_CLIENT_CERTIFICATE", prefix+"_CLIENT_KEY")
	}
	c.addNotices()
	c.defaultEndpoints()
	return c.notices
}

// otlpPrefixes returns the prefixes of the variables of the OTLP exporters: the common one, and that of each signal.
func otlpPrefixes() []string {
	all := []string{"OTEL_EXPORTER_OTLP"}
	for _, s := range otelSignals {
		all = append(all, "OTEL_EXPORTER_OTLP_"+s.name)
	}
	return all
}

// variable checks one variable and sets it to its usual spelling.
func (c *otelCheck) variable(name string, parse func(string) (string, error)) {
	raw := os.Getenv(name)
	if raw == "" {
		return
	}
	usual, err := parse(raw)
	if err == nil && usual != raw {
		err = os.Setenv(name, usual)
	}
	if err != nil {
		c.problem(name, err)
	}
}

func (c *otelCheck) problem(name string, err error) {
	c.r.problem(name, value{os.Getenv(name), c.env.originOf(name)}, err)
}

// clientCertificate checks a certificate and its key. The SDK uses them only together.
func (c *otelCheck) clientCertificate(certificate, key string) {
	present := slices.DeleteFunc([]string{certificate, key}, func(name string) bool { return os.Getenv(name) == "" })
	for _, name := range present {
		if err := readableFile(os.Getenv(name)); err != nil {
			c.problem(name, err)
			return
		}
	}
	switch {
	case len(present) == 1:
		c.problem(present[0], fmt.Errorf("set together with its counterpart: %s and %s belong together", certificate, key))
	case len(present) == 2 && !isKeyPair(os.Getenv(certificate), os.Getenv(key)):
		c.problem(certificate, errors.New("a PEM file with the certificate of the PEM key in "+key))
	}
}

// addNotices adds a notice for each variable that does not take effect as it was set.
func (c *otelCheck) addNotices() {
	notice := func(name, text string) {
		c.notices = append(c.notices, fmt.Sprintf("%s=%s %s", name, masked(name, os.Getenv(name)), text))
	}
	const disabled = "OTEL_SDK_DISABLED"
	if v := strings.ToLower(strings.TrimSpace(os.Getenv(disabled))); v != "" && v != "true" && v != "false" {
		notice(disabled, "does not disable anything: only true does")
	}
	const propagators = "OTEL_PROPAGATORS"
	if v := os.Getenv(propagators); v != "" && !onlyTraceContext(v) {
		notice(propagators, "is not in force: probes carry the W3C traceparent header (tracecontext) and no other")
	}
	for _, prefix := range otlpPrefixes() {
		if name := prefix + "_ENDPOINT"; strings.Contains(os.Getenv(name), "@") {
			notice(name, "has a user or password, which is not sent: use "+prefix+"_HEADERS")
		}
	}
}

// onlyTraceContext reports whether a list of propagators has the effect of tracecontext alone. There is no baggage to
// propagate here.
func onlyTraceContext(list string) bool {
	found := false
	for name := range strings.SplitSeq(strings.ToLower(list), ",") {
		switch strings.TrimSpace(name) {
		case "tracecontext":
			found = true
		case "baggage", "":
		default:
			return false
		}
	}
	return found
}

// defaultEndpoints sets the endpoint of the specification for exporters without one. The default of the SDK is an https
// URL.
func (c *otelCheck) defaultEndpoints() {
	for _, s := range otelSignals {
		const all = "OTEL_EXPORTER_OTLP"
		own := all + "_" + s.name
		if os.Getenv("OTEL_"+s.name+"_EXPORTER") != "otlp" ||
			os.Getenv(all+"_ENDPOINT") != "" || os.Getenv(own+"_ENDPOINT") != "" {
			continue
		}
		endpoint := "http://localhost:4318" + s.path
		if protocol := cmp.Or(os.Getenv(own+"_PROTOCOL"), os.Getenv(all+"_PROTOCOL")); protocol == "grpc" {
			endpoint = "http://localhost:4317"
		}
		c.env.setDefault(own+"_ENDPOINT", endpoint)
	}
}
