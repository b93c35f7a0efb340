package config

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/signal-sidecar/signal-sidecar/testbed"
)

var (
	badBooleans = []string{"maybe", "2", "truee", "yes!", "-1"}
	badPorts    = []string{"x", "-1", "65536", "1.5", "0x50", "80 80", "999999999999999999999", "http"}
	badSeconds  = []string{
		"x", "-1", "-1s", "1 s", "5 seconds", "NaN", "Inf", "-Inf", "1e300", "367d", "9000h", "31536001", "1,5",
	}
	badPositive = append([]string{"0", "0s", "0.0", "-0"}, badSeconds...)
	badOrigins  = []string{
		"localhost:8888", "localhost", "http://", "http:///x",
		"//localhost:8888", "ftp://localhost", "http://localhost:99999",
		"http://localhost:0", "http://localhost:x", "http://localhost?a", "http://localhost/#b", "http://a b",
		"http://localhost\nHTTP_PORT=1", "http://[::1", "unix:///run/jicofo",
	}
	badHosts = []string{"a b", "http://consul", "consul:8500x", "a/b", "a?b", "host/path", "[::1", "a\tb"}
)

// badValues are values that must be rejected, by variable. Each setting that can have a bad value is in it.
var badValues = map[string][]string{
	"HTTP_PORT": badPorts, "TCP_PORT": badPorts, "CONSUL_PORT": badPorts,
	"TCP_HOLD_PORT": append([]string{"on", "no"}, badPorts...),
	"PAGE_PORT":     append([]string{"on", "no"}, badPorts...),
	"HTTP_ADDR":     badHosts, "TCP_ADDR": badHosts, "CONSUL_HOST": badHosts,
	"CENSUS_HOST": {"a b", "http://a", "a:b", "a:99999", "a/b"},
	"HTTP_HOSTS":  append([]string{",", "a,,b", "a:6000", "[::1]:6000"}, badHosts...),
	"TCP_ALLOW": {
		"x", ",", "10.0.0.0/33", "10.0.0.0/", "10.0.0", "::1/129", "fe80::1%eth0", "10.0.0.0/8;::1", "::ffff:0.0.0.0/95",
	},
	"WEB_CONFIG_FILE": {"/nonexistent", "/", "/etc/passwd"},
	"PROBE_CA_FILE":   {"/nonexistent", "/", "/dev/null", "/etc/passwd"},
	"METRICS":         badBooleans, "CENSUS_POLL": badBooleans,
	"WEIGHT_PARTICIPANTS": badBooleans, "CONSUL_SECURE": badBooleans,
	"CONSUL_STATUS": badBooleans, "CONSUL_REPORTS": badBooleans, "CENSUS_REPORTS": badBooleans,
	"CONSUL_FLEET": badBooleans,
	"JICOFO_ORIG":  badOrigins, "PROSODY_ORIG": badOrigins,
	"AGENT_HOLD": badPositive, "POLLING_INTERVAL": badPositive, "RECOVERY_POLLING_INTERVAL": badPositive,
	"PROBE_TIMEOUT": badPositive, "CONSUL_REPORTS_INTERVAL": badPositive,
	"HEALTH_DAMPENING_INTERVAL": badSeconds, "DRAIN_GRACE_INTERVAL": badSeconds,
	"PROBE_RETRIES":   {"x", "-1", "101", "1.5", "1e1"},
	"PARTICIPANT_MAX": {"x", "0", "-1", "1.5", "1e3", "1000000001", "99999999999999999999999"},
	"PARTIPANT_MAX":   {"x", "0", "-1", "1.5", "1e3", "1000000001", "99999999999999999999999"},
	"STATUS_PATH":     {" "}, "CONSUL_STATUS_KEY": {" "}, "CONSUL_REPORT_KEY": {"\t"},
	"DRAIN_GRACE_SCOPE": {"hard", "jicofo,soft", "all"},
	"TRACE_URL_TEMPLATE": {
		"http://localhost:16686/trace/", "localhost:16686/trace/{trace_id}",
		"ftp://jaeger/{trace_id}", "javascript:alert({trace_id})",
		"http:///{trace_id}",
		"http://{trace_id}/", "http://jaeger{trace_id}/", "http://jaeger:99999/{trace_id}",
		"/trace/{trace_id}", "http://a b/{trace_id}",
		"http://jaeger/{traceid}", "http://jaeger/\n{trace_id}",
	},
	"LOG_LEVEL":  {"trace", "warning", "0", "info+1"},
	"LOG_FORMAT": {"xml", "logfmt"},
}

// TestBadValues gives each bad value by the environment, a flag or a file, in turn.
func TestBadValues(t *testing.T) {
	folder := t.TempDir()
	turn := 0
	for _, name := range slices.Sorted(maps.Keys(badValues)) {
		for _, value := range badValues[name] {
			var environment vars
			var flags []string
			var origin string
			switch turn++; turn % 3 {
			case 0:
				environment, origin = vars{name: value}, "environment"
			case 1:
				flags, origin = vars{name: value}.Flags(), "flag"
			default:
				origin = testbed.Write(t, folder, "bad.env", fmt.Sprintf("%s=\"%s\"\n", name, value))
				environment = vars{"ENV_FILE": origin}
			}
			if strings.HasPrefix(name, "CONSUL_") && name != "CONSUL_STATUS" {
				environment = environment.With(vars{"CONSUL_STATUS": "true"}) // the others are checked only then
			}
			expectProblems(t, folder, environment, flags, fmt.Sprintf("%s=%q (%s): must be ",
				name, maskedRefused(name, value), origin))
		}
	}
}

// TestAllBadAtOnce gives every setting a bad value. All of them are reported.
func TestAllBadAtOnce(t *testing.T) {
	all, want := vars{}, make([]string, 0, len(badValues))
	for name, values := range badValues {
		if name == "CONSUL_STATUS" {
			all[name] = "true" // else the other settings of Consul are not checked
			continue
		}
		all[name] = values[0]
		want = append(want, fmt.Sprintf("%s=%q (environment): must be ", name, values[0]))
	}
	expectProblems(t, t.TempDir(), all, nil, want...)
}

// TestPasswordsInURLs gives URLs with a user and a password. The sidecar shows neither, for good and for bad values.
func TestPasswordsInURLs(t *testing.T) {
	const secret = "hunter2hunter2"
	for _, c := range []struct{ name, value, want string }{
		{"JICOFO_ORIG", "http://admin:" + secret + "@jicofo:8888", "http://xxxxx@jicofo:8888"},
		{"PROSODY_ORIG", "https://" + secret + "@prosody/base", "https://xxxxx@prosody/base"},
		{"JICOFO_ORIG", "http://admin:a%40" + secret + "@jicofo", "http://xxxxx@jicofo"},
	} {
		all, _ := checkConfig(t, t.TempDir(), vars{c.name: c.value})
		if all[c.name].value != c.want {
			t.Errorf("%s is shown as %q, want %q", c.name, all[c.name].value, c.want)
		}
	}
	for _, v := range []vars{
		{"JICOFO_ORIG": "admin:" + secret + "@jicofo:8888"},
		{"JICOFO_ORIG": "http://admin:" + secret + "@jicofo:99999"},
		{"JICOFO_ORIG": "http://admin:a/" + secret + "@jicofo:8888"},
		{"JICOFO_ORIG": "http://admin:a%" + secret + "@jicofo"},
		{"PROSODY_ORIG": "ftp://admin:" + secret + "@prosody"},
		{"PROSODY_ORIG": "http://admin:" + secret + "@prosody?x"},
		{"PROSODY_ORIG": "http://admin:" + secret + "@"},
		{"TRACE_URL_TEMPLATE": "http://admin:" + secret + "@jaeger/{trace_id}"},
		{"TRACE_URL_TEMPLATE": "//admin:" + secret + "@jaeger/{trace_id}"},
		{"CENSUS_HOST": "admin:" + secret + "@meet.example.com"},
		{"CONSUL_HOST": "http://admin:" + secret + "@consul", "CONSUL_STATUS": "true"},
		{"CONSUL_HOST": "admin:" + secret + "@consul", "CONSUL_STATUS": "true"},
		{"OTEL_EXPORTER_OTLP_ENDPOINT": "admin:" + secret + "@collector:4318"},
	} {
		_, _, err := load(t, t.TempDir(), v)
		if err == nil || strings.Contains(err.Error(), "\n") ||
			strings.Contains(err.Error(), "hunter2") || strings.Contains(err.Error(), "admin") {
			t.Errorf("%v: %v", v, err)
		}
	}
}

// TestConsulSettingsOfKubernetes checks that CONSUL_PORT is not validated while Consul is not used. Kubernetes sets it
// in every pod next to a Service with the name consul.
func TestConsulSettingsOfKubernetes(t *testing.T) {
	const given = "tcp://10.96.0.10:8500"
	all, notices := checkConfig(t, t.TempDir(), vars{"CONSUL_PORT": given})
	if all["CONSUL_PORT"] != (shown{given, "environment"}) || len(notices) > 0 {
		t.Errorf("CONSUL_PORT is %v, notices %q", all["CONSUL_PORT"], notices)
	}
	for _, feature := range []string{"CONSUL_STATUS", "CONSUL_REPORTS"} {
		expectProblems(t, t.TempDir(), vars{"CONSUL_PORT": given, feature: "true"}, nil,
			`CONSUL_PORT="`+given+`" (environment): must be a port`)
	}
}
