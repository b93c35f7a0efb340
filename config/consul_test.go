package config

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/signal-sidecar/signal-sidecar/testbed"
)

// TestConsulAddress checks which address wins: CONSUL_HTTP_ADDR, or those of CONSUL_HOST, CONSUL_PORT and CONSUL_SECURE
// that are set.
func TestConsulAddress(t *testing.T) {
	t.Parallel()
	const unset = ""
	for _, c := range []struct {
		address, host, port, secure string
		ssl                         bool
		want                        string // "" for an error
	}{
		{"", unset, unset, unset, false, "http://localhost:8500"},
		{"", unset, unset, unset, true, "https://localhost:8500"},
		{"consul:8501", unset, unset, unset, false, "http://consul:8501"},
		{"http://consul:8501", unset, unset, unset, true, "https://consul:8501"},
		{"https://consul.example.com/consul/", unset, unset, unset, false, "https://consul.example.com/consul"},
		{"[::1]:8500", unset, unset, unset, false, "http://[::1]:8500"},
		{"https://[::1]", unset, unset, unset, false, "https://[::1]"},
		{"unix:///run/consul.sock", unset, unset, unset, true, "unix:///run/consul.sock"},
		{"unix:///run/consul.sock", unset, unset, "true", false, "unix:///run/consul.sock"},
		{"unix:///run/consul.sock", "consul", unset, unset, false, "http://consul:8500"},
		{"https://a:1/prefix", "b", unset, unset, false, "https://b:1"},
		{"https://a:1/prefix", unset, "2", unset, false, "https://a:2/prefix"},
		{"https://a:1", unset, unset, "false", true, "http://a:1"},
		{"a:1", "::1", "2", "true", false, "https://[::1]:2"},
		{"https://a", "b", unset, unset, false, "https://b:8500"},
		{"ftp://a", unset, unset, unset, false, ""},
		{"http://admin:pw@a:1", unset, unset, unset, false, ""},
		{"http://a:1?x=y", unset, unset, unset, false, ""},
		{"http://", unset, unset, unset, false, ""},
		{"a b", unset, unset, unset, false, ""},
		{"a:99999", unset, unset, unset, false, ""},
		{"unix://", unset, unset, unset, false, ""},
		{"unix:/run/consul.sock", unset, unset, unset, false, ""},
	} {
		config := Config{Consul: Consul{host: "localhost", port: 8500}, reader: &reader{values: map[string]value{}}}
		for _, s := range []struct{ name, text string }{
			{consulHostName, c.host}, {consulPortName, c.port}, {consulSecureName, c.secure},
		} {
			v := value{origin: originDefault}
			if s.text != unset {
				v = value{s.text, "flag"}
			}
			config.reader.values[s.name] = v
			for _, section := range sections {
				for _, d := range section.settings {
					if d.name == s.name && s.text != unset {
						config.reader.read(&config, d)
					}
				}
			}
		}
		address, err := parseConsulAddress(c.address, c.ssl)
		got := ""
		if err == nil {
			got = config.consulURL(address)
		}
		if got != c.want {
			t.Errorf("%+v: %q, error %v", c, got, err)
		}
	}
}

// TestConsulKeys checks what the placeholders in the keys become.
func TestConsulKeys(t *testing.T) {
	hostname, err := os.Hostname()
	testbed.Must(t, err)
	attributes := "jitsi.shard=shard-1,environment=prod%20eu, empty="
	for key, want := range map[string]string{
		"signal-report/{environment}/{jitsi.shard}": "signal-report/prod eu/shard-1",
		"{hostname}/x": hostname + "/x",
		"odd {name":    "odd {name", "a/ ö/?#": "a/ ö/?#",
	} {
		c, _, err := load(t, t.TempDir(), vars{
			"OTEL_RESOURCE_ATTRIBUTES": attributes, "CONSUL_REPORTS": "true", "CONSUL_REPORT_KEY": key,
			"CONSUL_STATUS_KEY": "{not.used}",
		})
		if err != nil || c.Consul.ReportKey != want {
			t.Errorf("%q became %q, error %v", key, c.Consul.ReportKey, err)
		}
	}
	for key, name := range map[string]string{
		"a/{jitsi.shrad}": "{jitsi.shrad}", "{}": "{}", "{empty}": "{empty}", "/a": "does not begin with /",
		"b": "another key",
	} {
		expectProblems(t, t.TempDir(), vars{
			"OTEL_RESOURCE_ATTRIBUTES": attributes, "CONSUL_REPORTS": "true", "CONSUL_REPORT_KEY": key,
			"CONSUL_STATUS": "true", "CONSUL_STATUS_KEY": "b",
		}, nil, fmt.Sprintf("CONSUL_REPORT_KEY=%q (environment): must be a", key))
		_, _, err := load(t, t.TempDir(), vars{
			"OTEL_RESOURCE_ATTRIBUTES": attributes, "CONSUL_REPORTS": "true", "CONSUL_REPORT_KEY": key,
			"CONSUL_STATUS": "true", "CONSUL_STATUS_KEY": "b",
		})
		if err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("%q: error %v does not name %s", key, err, name)
		}
	}
}

// TestConsulVariables gives bad values to the variables of Consul's own clients. They matter only if Consul is used.
func TestConsulVariables(t *testing.T) {
	missing := filepath.Join(t.TempDir(), "missing")
	for name, values := range map[string][]string{
		"CONSUL_HTTP_ADDR": {"ftp://consul", "http://admin:hunter2@consul"}, "CONSUL_HTTP_SSL": {"x"},
		"CONSUL_HTTP_SSL_VERIFY": {"2"}, "CONSUL_CACERT": {missing}, "CONSUL_CAPATH": {missing},
		"CONSUL_CLIENT_CERT": {missing},
	} {
		for _, value := range values {
			if _, _, err := load(t, t.TempDir(), vars{name: value}); err != nil {
				t.Errorf("%s=%q without Consul: %v", name, value, err)
			}
			_, _, err := load(t, t.TempDir(), vars{name: value, "CONSUL_STATUS": "true"})
			if err == nil || !strings.HasPrefix(err.Error(), name+"=") || strings.Contains(err.Error(), "hunter2") {
				t.Errorf("%s=%q: %v", name, value, err)
			}
		}
	}
	c, _, err := load(t, t.TempDir(), vars{ // as docker passes a file with the line ends of Windows on
		"CONSUL_STATUS": "true", "CONSUL_HTTP_ADDR": "consul:8500\r", "CONSUL_HTTP_TOKEN": "token\r",
	})
	if err != nil || c.Consul.Client.URL != "http://consul:8500" || c.Consul.Client.Token != "token" {
		t.Errorf("with carriage returns: %+v, error %v", c.Consul.Client, err)
	}
}
