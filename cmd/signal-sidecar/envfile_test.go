package main_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/signal-sidecar/signal-sidecar/testbed"
)

// TestBadEnvFiles gives the sidecar files that are none; what it says never quotes what stands in them.
func TestBadEnvFiles(t *testing.T) {
	t.Parallel()
	const secret = "Zq7Xw9Kv"
	files := map[string]string{
		"prose":             secret + " is the password\n",
		"unterminated":      "CONSUL_HTTP_TOKEN=\"" + secret + "\n",
		"unterminated late": "HTTP_PORT=0\nCONSUL_HTTP_TOKEN='" + secret + "\nTCP_PORT=0\n",
		"json":              "{\"token\": \"" + secret + "\"}\n",
		"binary":            "\x7fELF\x02\x01\x01\x00\x00\xff\xfe" + secret + "\x00",
		"binary value":      "CONSUL_HTTP_TOKEN=" + secret + "\x00\n",
		"huge":              strings.Repeat("A="+secret+"\n", 1<<17),
		"huge line":         "A=" + strings.Repeat(secret, 1<<18),
	}
	for name, content := range files {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			folder := t.TempDir()
			path := write(t, folder, ".env", content)
			expectBadEnvFile(t, secret, path, runIn(t, t.TempDir(), nil, "--env-file", path))
			expectBadEnvFile(t, secret, path, runIn(t, t.TempDir(), vars{"ENV_FILE": path}))
			expectBadEnvFile(t, secret, ".env", runIn(t, folder, nil))
			expectBadEnvFile(t, secret, ".env", runIn(t, folder, nil, "check-config"))
		})
	}
	t.Run("folder", func(t *testing.T) {
		t.Parallel()
		folder := t.TempDir()
		testbed.Must(t, os.Mkdir(filepath.Join(folder, ".env"), 0o755))
		expectBadEnvFile(t, secret, ".env", runIn(t, folder, nil))
		expectBadEnvFile(t, secret, folder, run(t, nil, "--env-file", folder))
	})
	t.Run("missing", func(t *testing.T) {
		t.Parallel()
		path := filepath.Join(t.TempDir(), "missing.env")
		expectBadEnvFile(t, secret, path, run(t, nil, "--env-file", path))
		expectBadEnvFile(t, secret, path, run(t, vars{"ENV_FILE": path}))
		expectBadEnvFile(t, secret, ".env", run(t, nil, "--env-file=.env"))
	})
}

func expectBadEnvFile(t *testing.T, secret, path string, r result) {
	t.Helper()
	if r.code != 2 || r.stdout != "" {
		t.Errorf("exit %d, standard output %q", r.code, r.stdout)
	}
	if lines := r.problems(); len(lines) != 1 || !strings.HasPrefix(lines[0], `signal-sidecar: ENV_FILE="`+path+`"`) {
		t.Errorf("%q is not one line about ENV_FILE=%q", r.stderr, path)
	}
	for n := 3; n <= len(secret); n++ {
		if strings.Contains(r.stderr, secret[:n]) || strings.Contains(r.stderr, secret[len(secret)-n:]) {
			t.Fatalf("%q quotes the file", r.stderr)
		}
	}
}

// TestHelpWithoutEnvFile asks for help while the env file is bad.
func TestHelpWithoutEnvFile(t *testing.T) {
	t.Parallel()
	r := run(t, vars{"ENV_FILE": "/nonexistent"}, "--help")
	if r.code != 0 || r.stderr != "" {
		t.Errorf("exit %d, %q", r.code, r.stderr)
	}
}

// TestSecretsAreNotShown sets what may hold secrets, in the environment and in the file.
func TestSecretsAreNotShown(t *testing.T) {
	t.Parallel()
	secrets := vars{
		"OTEL_EXPORTER_OTLP_HEADERS": "authorization=hunter2", "OTEL_EXPORTER_OTLP_TRACES_HEADERS": "authorization=hunter2",
		"OTEL_EXPORTER_OTLP_METRICS_HEADERS": "authorization=hunter2", "OTEL_EXPORTER_OTLP_LOGS_HEADERS": "authorization=hunter2",
		"CONSUL_HTTP_TOKEN": "hunter2", "CONSUL_HTTP_AUTH": "admin:hunter2",
	}
	open := vars{"OTEL_SERVICE_NAME": "shard-17", "CONSUL_CACERT": "/etc/ca.pem"}
	folder := t.TempDir()
	write(t, folder, ".env", asFile(secrets.With(open)))
	for origin, r := range map[string]result{
		"environment": run(t, secrets.With(open), "check-config"),
		".env":        runIn(t, folder, nil, "check-config"),
	} {
		if r.code != 0 || strings.Contains(r.stdout+r.stderr, "hunter2") {
			t.Errorf("%s: exit %d, and this is shown:\n%s%s", origin, r.code, r.stdout, r.stderr)
		}
		lines := strings.Join(strings.Fields(r.stdout), " ")
		for name := range secrets {
			if !strings.Contains(lines, name+" (not shown) ("+origin+")") {
				t.Errorf("%s: %s is not listed", origin, name)
			}
		}
		for name, value := range open {
			if !strings.Contains(lines, name+" "+value+" ("+origin+")") {
				t.Errorf("%s: %s is not shown", origin, name)
			}
		}
	}
}
