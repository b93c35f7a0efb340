package config

import (
	"strings"
	"testing"
)

// TestSecrets gives each setting values with a secret, and checks that neither what check-config prints, nor an error,
// nor a notice has it.
func TestSecrets(t *testing.T) {
	const secret = "hunter2hunter2"
	valid := map[string][]string{
		"JICOFO_ORIG": {"http://admin:" + secret + "@jicofo:8888"}, "PROSODY_ORIG": {"http://" + secret + "@prosody"},
		"JICOFO_DUMP": {"/bin/dump --token " + secret, "/bin/dump\t" + secret}, "PROSODY_DUMP": {"dump -p" + " " + secret},
		"TRACE_URL_TEMPLATE": {
			"https://tempo/t?key=" + secret + "&id={trace_id}", "https://tempo/{trace_id}?" + secret + "#x",
		},
		"CONSUL_HTTP_TOKEN":           {secret},
		"CONSUL_HTTP_AUTH":            {"admin:" + secret},
		"CONSUL_HTTP_ADDR":            {"http://admin:" + secret + "@consul:8500"},
		"OTEL_EXPORTER_OTLP_HEADERS":  {"api-key=" + secret},
		"OTEL_EXPORTER_OTLP_ENDPOINT": {"http://admin:" + secret + "@collector:4318", "http://collector:4318?key=" + secret},
	}
	for name, values := range valid {
		for _, value := range values {
			c, printed, err := load(t, t.TempDir(), vars{name: value})
			if err != nil || !strings.Contains(printed, name) || strings.Contains(printed+strings.Join(c.Notices, ""), secret) {
				t.Errorf("%s=%q: %v\n%s", name, value, err, printed)
			}
		}
	}
	names := []string{"OTEL_EXPORTER_OTLP_HEADERS", "OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_TRACES_EXPORTER"}
	for _, s := range settings {
		names = append(names, s.name)
	}
	for _, name := range names {
		for _, value := range []string{
			"http://admin:" + secret + "@host:99999", "admin:" + secret + "@host:99999", "//admin:" + secret + "@a b",
			"http://admin:a/" + secret + "@host?x", "http://a b/?key=" + secret, "http://admin:a%" + secret + "@host",
		} {
			c, printed, err := load(t, t.TempDir(), vars{"CONSUL_STATUS": "true"}.With(vars{name: value}))
			if err == nil && (strings.HasSuffix(name, "_PATH") || strings.HasSuffix(name, "_KEY") ||
				strings.HasSuffix(name, "_DUMP")) {
				continue // a path or a key, which has no secret
			}
			if err != nil {
				printed = err.Error()
			}
			if strings.Contains(printed+strings.Join(c.Notices, ""), secret) {
				t.Errorf("%s=%q:\n%s", name, value, printed)
			}
		}
	}
}
