package config

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/signal-sidecar/signal-sidecar/testbed"
)

// TestFilesAreDistinct checks that two settings with the same file are an error that names both, also if the names
// differ.
func TestFilesAreDistinct(t *testing.T) {
	folder := t.TempDir()
	in := func(name string) string { return filepath.Join(folder, name) }
	testbed.Must(t, os.WriteFile(in("ca.pem"), []byte(testbed.Contents("testdata/authority.pem")), 0o600))
	ca := testbed.NewAuthority(t)
	certificate, key := ca.Issue(t, "sidecar")
	testbed.Write(t, folder, "cert.pem", certificate)
	testbed.Write(t, folder, "key.pem", key)
	web := testbed.Write(t, folder, "web.yml", "tls_server_config:\n  cert_file: cert.pem\n  key_file: key.pem\n")
	for _, name := range []string{"status", "script"} {
		testbed.Must(t, os.WriteFile(in(name), []byte("ready"), 0o755))
	}
	testbed.Must(t, os.Symlink(in("status"), in("link")))
	testbed.Must(t, os.Symlink(in("ca.pem"), in("ca-link")))
	testbed.Must(t, os.Link(in("key.pem"), in("key-hard")))
	testbed.Must(t, os.Mkdir(in("authorities"), 0o755))
	testbed.Must(t, os.Link(in("status"), in("hard")))
	testbed.Must(t, os.Symlink(folder, in("folder")))
	for _, c := range []struct {
		v       vars
		problem string
	}{
		{vars{"STATUS_PATH": in("status"), "RECORD_PATH": in("status")},
			`RECORD_PATH="` + in("status") + `" (environment): must be a file of its own: STATUS_PATH uses ` + in("status")},
		{vars{"STATUS_PATH": in("status"), "STATE_PATH": in("x/../status")}, `STATE_PATH="` + in("x/../status") +
			`" (environment): must be a file of its own: STATUS_PATH`},
		{vars{"STATUS_PATH": in("status"), "STATE_PATH": in("link")}, `STATE_PATH="` + in("link")},
		{vars{"STATUS_PATH": in("status"), "RECORD_PATH": in("hard")}, `RECORD_PATH="` + in("hard")},
		{vars{"STATE_PATH": in("new"), "RECORD_PATH": in("folder/new")}, `RECORD_PATH="` + in("folder/new")},
		{vars{"STATUS_PATH": in("new.1"), "RECORD_PATH": in("new")}, `RECORD_PATH="` + in("new")},
		{vars{"STATUS_PATH": in("script"), "JICOFO_DUMP": in("script") + " now"}, `JICOFO_DUMP="` + in("script") + " (arguments not shown)"},
		{vars{"RECORD_PATH": in("script"), "PROSODY_DUMP": in("script")}, `RECORD_PATH="` + in("script")},
		{vars{"STATE_PATH": in("x.env"), "ENV_FILE": testbed.Write(t, folder, "x.env", "")}, `ENV_FILE="` + in("x.env")},
		{vars{"STATE_PATH": in("ca.pem"), "PROBE_CA_FILE": in("ca.pem")}, `PROBE_CA_FILE="` + in("ca.pem")},
		{vars{"STATE_PATH": web, "WEB_CONFIG_FILE": web}, `WEB_CONFIG_FILE="` + web},
		{vars{"RECORD_PATH": in("key.pem"), "WEB_CONFIG_FILE": web}, "RECORD_PATH=\"" + in("key.pem") +
			`" (environment): must be a file of its own: WEB_CONFIG_FILE uses ` + in("key.pem")},
		{vars{"CONSUL_STATUS": "true", "STATE_PATH": in("ca-link"), "CONSUL_CACERT": in("ca.pem")},
			`CONSUL_CACERT="` + in("ca.pem") + `" (environment): must be a file of its own: STATE_PATH uses ` + in("ca-link")},
		{vars{"CONSUL_STATUS": "true", "STATE_PATH": in("key-hard"), "CONSUL_CLIENT_CERT": in("cert.pem"),
			"CONSUL_CLIENT_KEY": in("key.pem")}, `CONSUL_CLIENT_KEY="` + in("key.pem")},
		{vars{"CONSUL_STATUS": "true", "RECORD_PATH": in("cert.pem"), "CONSUL_CLIENT_CERT": in("cert.pem"),
			"CONSUL_CLIENT_KEY": in("key.pem")}, `RECORD_PATH="` + in("cert.pem")},
		{vars{"CONSUL_STATUS": "true", "STATE_PATH": in("token"), "CONSUL_HTTP_TOKEN_FILE": in("token")},
			`CONSUL_HTTP_TOKEN_FILE="(not shown)" (environment): must be a file of its own: STATE_PATH uses ` + in("token")},
		{vars{"CONSUL_STATUS": "true", "STATE_PATH": in("authorities/state"), "CONSUL_CAPATH": in("folder/authorities")},
			`STATE_PATH="` + in("authorities/state") + `" (environment): must be a file outside of CONSUL_CAPATH=`},
		{vars{"STATE_PATH": in("ca.pem"), "OTEL_EXPORTER_OTLP_CERTIFICATE": in("ca.pem")},
			`OTEL_EXPORTER_OTLP_CERTIFICATE="` + in("ca.pem")},
		{vars{"RECORD_PATH": in("key.pem"), "OTEL_EXPORTER_OTLP_LOGS_CLIENT_KEY": in("key.pem"),
			"OTEL_EXPORTER_OTLP_LOGS_CLIENT_CERTIFICATE": in("cert.pem")},
			`RECORD_PATH="` + in("key.pem") + `" (environment): must be a file of its own: OTEL_EXPORTER_OTLP_LOGS_CLIENT_KEY`},
		{vars{"STATE_PATH": in("new"), "STATUS_PATH": in("folder/.new.tmp")}, `STATE_PATH="` + in("new")},
		{vars{"STATUS_PATH": in("status"), "RECORD_PATH": in(".status.signal-sidecar")},
			`RECORD_PATH="` + in(".status.signal-sidecar")},
		{vars{"STATE_PATH": in("state"), "CONSUL_CACERT": in("state")}, ""}, // Consul is not used
		{vars{"JICOFO_DUMP": in("script"), "PROSODY_DUMP": in("script")}, ""},
		{vars{"STATUS_PATH": in("status"), "RECORD_PATH": in("recording"), "STATE_PATH": in("state")}, ""},
	} {
		if c.problem != "" {
			expectProblems(t, folder, c.v, nil, c.problem)
		} else if _, _, err := load(t, folder, c.v); err != nil {
			t.Errorf("%v: %v", c.v, err)
		}
	}
}

// TestStatePath checks that the state is kept in systemd's runtime directory by default.
func TestStatePath(t *testing.T) {
	for _, c := range []struct {
		v    vars
		want string
	}{
		{nil, ""},
		{vars{"RUNTIME_DIRECTORY": "/run/signal-sidecar"}, "/run/signal-sidecar/state.json"},
		{vars{"RUNTIME_DIRECTORY": "/run/a:/run/b"}, "/run/a/state.json"},
		{vars{"RUNTIME_DIRECTORY": "/run/a", "STATE_PATH": "/b"}, "/b"},
		{vars{"RUNTIME_DIRECTORY": "/run/a", "STATE_PATH": "off"}, ""},
		{vars{"STATE_PATH": "Off"}, ""},
	} {
		got, _, err := load(t, t.TempDir(), c.v)
		if err != nil || got.StatePath != c.want {
			t.Errorf("%v: %q, %v, want %q", c.v, got.StatePath, err, c.want)
		}
	}
}
