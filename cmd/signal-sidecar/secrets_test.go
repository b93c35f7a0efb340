package main_test

import (
	"path/filepath"
	"strings"
	"testing"

	"github.com/signal-sidecar/signal-sidecar/testbed"
)

// TestNoSecrets runs a sidecar whose settings have secrets, lets jicofo fail, and checks that no output has one: the
// log, the replies, the recording, and the dump's log lines. The tests of config check check-config and errors, those
// of collector the spans.
func TestNoSecrets(t *testing.T) {
	t.Parallel()
	const secret = "hunter2hunter2"
	recording := filepath.Join(t.TempDir(), "recording")
	s := newShard(t, lasting.With(vars{
		"JICOFO_DUMP": "/bin/false --token=" + secret, "PROSODY_DUMP": "/nonexistent " + secret,
		"RECORD_PATH": recording, "LOG_LEVEL": "debug", "DRAIN_GRACE_INTERVAL": "0",
		"CONSUL_HTTP_TOKEN": secret, "OTEL_EXPORTER_OTLP_HEADERS": "api-key=" + secret,
		"OTEL_EXPORTER_OTLP_ENDPOINT": "http://admin:" + secret + "@127.0.0.1:9?key=" + secret,
		"OTEL_METRIC_EXPORT_INTERVAL": "50", "OTEL_BSP_SCHEDULE_DELAY": "50",
	}))
	for _, name := range []string{"JICOFO_ORIG", "PROSODY_ORIG"} {
		s.settings[name] = strings.Replace(s.settings[name], "://", "://admin:"+secret+"@", 1)
	}
	s.start(t)
	s.becomes(t, "up ready 100%")
	s.jicofo("reset")
	s.prosody("redirect loop")
	s.becomes(t, "down ready 100%")
	testbed.Eventually(t, "both dumps to fail", bound, func() bool { return len(s.Logged("dump failed")) == 2 })
	outputs := map[string]string{"recording": testbed.Contents(recording), "log": s.Stdout(), "standard error": s.Stderr()}
	for _, path := range []string{
		"/", "/signal/report", "/signal/explain", "/signal/history", "/metrics", "/openapi.json",
	} {
		_, outputs[path] = testbed.Get("http://" + s.HTTP + path)
	}
	for _, command := range []string{"check-config", "--help"} {
		r := run(t, s.settings, command)
		outputs[command] = r.stdout + r.stderr
	}
	for name, text := range outputs {
		if strings.Contains(text, secret) || text == "" && name != "standard error" {
			t.Errorf("%s, %d bytes:\n%s", name, len(text), text)
		}
	}
}
