package main_test

import (
	"fmt"
	"os"
	"path/filepath"
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
	"METRICS":     badBooleans, "CENSUS_POLL": badBooleans,
	"WEIGHT_PARTICIPANTS": badBooleans, "CONSUL_SECURE": badBooleans,
	"CONSUL_STATUS": badBooleans, "CONSUL_REPORTS": badBooleans, "CENSUS_REPORTS": badBooleans,
	"JICOFO_ORIG": badOrigins, "PROSODY_ORIG": badOrigins,
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

// TestBadValues gives each bad value by the environment, a flag or a file, in turn. The ports are in use, so a program
// that opens a port before it checks the settings fails with another error.
func TestBadValues(t *testing.T) {
	t.Parallel()
	taken := vars{"HTTP_ADDR": "127.0.0.1", "TCP_ADDR": "127.0.0.1", "HTTP_PORT": occupy(t), "TCP_PORT": occupy(t)}
	folder := t.TempDir()
	turn := 0
	for name, values := range badValues {
		for _, value := range values {
			environment, args := taken, []string{"serve"}
			if strings.HasPrefix(name, "CONSUL_") && name != "CONSUL_STATUS" {
				environment = taken.With(vars{"CONSUL_STATUS": "true"})
			}
			var origin string
			switch turn++; turn % 3 {
			case 0:
				environment, origin = environment.With(vars{name: value}), "environment"
			case 1:
				args, origin = append(args, flagOf(name)+"="+value), "flag"
			default:
				origin = write(t, folder, "bad.env", fmt.Sprintf("%s=\"%s\"\n", name, value))
				environment = environment.With(vars{"ENV_FILE": origin, name: ""})
			}
			expectProblems(t, runIn(t, folder, environment, args...), fmt.Sprintf("%s=%q (%s): must be ", name, value, origin))
		}
	}
}

// expectProblems checks that standard error has one line for each beginning, each with more text after it, and no other
// line.
func expectProblems(t *testing.T, r result, beginnings ...string) {
	t.Helper()
	lines := r.problems()
	if r.code != 2 || r.stdout != "" || len(lines) != len(beginnings) {
		t.Errorf("exit %d, %d problems instead of %d, standard output %q, standard error:\n%s",
			r.code, len(lines), len(beginnings), r.stdout, r.stderr)
		return
	}
	for _, beginning := range beginnings {
		found := 0
		for _, line := range lines {
			if after, ok := strings.CutPrefix(line, "signal-sidecar: "+beginning); ok && len(after) > 3 {
				found++
			}
		}
		if found != 1 {
			t.Errorf("%d lines say %q in\n%s", found, beginning, r.stderr)
		}
	}
}

// TestAllBadAtOnce gives every setting a bad value. Each command that reads settings reports all of them.
func TestAllBadAtOnce(t *testing.T) {
	t.Parallel()
	all, want := vars{}, make([]string, 0, len(badValues))
	for name, values := range badValues {
		if name == "CONSUL_STATUS" {
			all[name] = "true" // else the other settings of Consul are not checked
			continue
		}
		all[name] = values[0]
		want = append(want, fmt.Sprintf("%s=%q (environment): must be ", name, values[0]))
	}
	for _, command := range []string{"serve", "check-config", "demo"} {
		expectProblems(t, run(t, all, command), want...)
	}
}

// TestProblemsBeforePorts compares the system calls of a start with a bad value and of a start that fails at a port in
// use.
func TestProblemsBeforePorts(t *testing.T) {
	t.Parallel()
	strace := testbed.Component(t, "strace")
	for value, binds := range map[string]bool{"json": true, "xml": false} {
		trace := filepath.Join(t.TempDir(), "trace")
		v := vars{
			"HTTP_PORT": occupy(t), "HTTP_ADDR": "127.0.0.1", "TCP_ADDR": "127.0.0.1", "TCP_PORT": "0", "LOG_FORMAT": value,
		}
		runCommand(t, t.TempDir(), v, strace, "-f", "-e", "trace=bind,listen", "-o", trace, testbed.Binary(t))
		calls, err := os.ReadFile(trace)
		testbed.Must(t, err)
		if got := strings.Contains(string(calls), "bind("); got != binds {
			t.Errorf("LOG_FORMAT=%s: ports opened: %t, want %t\n%s", value, got, binds, calls)
		}
	}
}

// TestPasswordsInURLs gives URLs with a user and a password. The sidecar shows neither, for good and for bad values.
func TestPasswordsInURLs(t *testing.T) {
	t.Parallel()
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
		for _, command := range []string{"check-config", "serve"} {
			r := run(t, v, command)
			if r.code != 2 || len(r.problems()) != 1 ||
				strings.Contains(r.stdout+r.stderr, "hunter2") || strings.Contains(r.stderr, "admin") {
				t.Errorf("%v, %s: exit %d, %s%s", v, command, r.code, r.stdout, r.stderr)
			}
		}
	}
}

// TestConsulSettingsOfKubernetes checks that CONSUL_PORT is not validated while Consul is not used. Kubernetes sets it
// in every pod next to a Service with the name consul.
func TestConsulSettingsOfKubernetes(t *testing.T) {
	t.Parallel()
	const given = "tcp://10.96.0.10:8500"
	all, notices := checkConfig(t, t.TempDir(), vars{"CONSUL_PORT": given})
	if all["CONSUL_PORT"] != (shown{given, "environment"}) || len(notices) > 0 {
		t.Errorf("CONSUL_PORT is %v, notices %q", all["CONSUL_PORT"], notices)
	}
	startSidecar(t, vars{"CONSUL_PORT": given})
	for _, feature := range []string{"CONSUL_STATUS", "CONSUL_REPORTS"} {
		expectProblems(t, run(t, vars{"CONSUL_PORT": given, feature: "true"}),
			`CONSUL_PORT="`+given+`" (environment): must be a port`)
	}
}
