package main_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/signal-sidecar/signal-sidecar/testbed"
)

// TestBadEnvFiles gives the sidecar files that it cannot use. No error contains text of the file.
func TestBadEnvFiles(t *testing.T) {
	t.Parallel()
	const secret = "Zq7Xw9Kv"
	for name, c := range map[string]struct {
		content, problem string
		dotenv           bool // the file is rejected only as a .env
	}{
		"prose":             {"HTTP_PORT=0\n" + secret + " is the password\n", "line 2 ", true},
		"unterminated":      {"CONSUL_HTTP_TOKEN=\"" + secret + "\n", "line 1 ", true},
		"unterminated late": {"HTTP_PORT=0\nCONSUL_HTTP_TOKEN='" + secret + "\nTCP_PORT=0\n", "line 2 ", true},
		"json":              {"{\"token\": \"" + secret + "\"}\n", "line 1 ", true},
		"binary":            {"\x7fELF\x02\x01\x01\x00\x00\xff\xfe" + secret + "\x00", "line 1 ", false},
		"binary value":      {"\nCONSUL_HTTP_TOKEN=" + secret + "\x00\n", "line 2 ", false},
		"huge":              {strings.Repeat("A="+secret+"\n", 1<<17), "larger than", false},
		"huge line":         {"A=" + strings.Repeat(secret, 1<<18), "larger than", false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			folder := t.TempDir()
			path := write(t, folder, ".env", c.content)
			for _, r := range []result{
				runIn(t, t.TempDir(), nil, "--env-file", path), runIn(t, t.TempDir(), vars{"ENV_FILE": path}),
			} {
				expectBadEnvFile(t, secret, path, r)
				if !strings.Contains(r.stderr, c.problem) {
					t.Errorf("%q does not name %q", r.stderr, c.problem)
				}
			}
			expectBadEnvFile(t, secret, ".env", runIn(t, folder, nil))
			expectBadEnvFile(t, secret, ".env", runIn(t, folder, nil, "check-config"))
			if !c.dotenv {
				path = write(t, folder, "config", c.content)
				expectBadEnvFile(t, secret, path, run(t, vars{"ENV_FILE": path}))
			}
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

// TestHelpWithoutEnvFile requests help while the env file is bad.
func TestHelpWithoutEnvFile(t *testing.T) {
	t.Parallel()
	r := run(t, vars{"ENV_FILE": "/nonexistent"}, "--help")
	if r.code != 0 || r.stderr != "" {
		t.Errorf("exit %d, %q", r.code, r.stderr)
	}
}

// TestSecretsAreNotShown sets variables that can contain secrets, in the environment and in the file.
func TestSecretsAreNotShown(t *testing.T) {
	t.Parallel()
	secrets := vars{
		"OTEL_EXPORTER_OTLP_HEADERS": "authorization=hunter2", "OTEL_EXPORTER_OTLP_TRACES_HEADERS": "authorization=hunter2",
		"OTEL_EXPORTER_OTLP_METRICS_HEADERS": "authorization=hunter2",
		"OTEL_EXPORTER_OTLP_LOGS_HEADERS":    "authorization=hunter2",
		"CONSUL_HTTP_TOKEN":                  "hunter2", "CONSUL_HTTP_AUTH": "admin:hunter2",
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

// TestEnvFileFormats gives the sidecar the same lines in a .env and in a file in systemd's format.
func TestEnvFileFormats(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	const content = "JICOFO_DUMP=/opt/$NODE/x\nPROSODY_DUMP=\"a$1\"\nexport LOG_LEVEL=debug\n"
	write(t, folder, ".env", content)
	path := write(t, folder, "config", content+"; a comment\nPARTICIPANT_MAX=\\\n100\nno variable\n")

	got, notices := checkConfig(t, folder, nil)
	if len(notices) > 0 || got["JICOFO_DUMP"].value != "/opt/$NODE/x" ||
		got["PROSODY_DUMP"].value != "a$1" ||
		got["LOG_LEVEL"].value != "debug" {
		t.Errorf(".env: %v, notices %q", got, notices)
	}
	got, notices = checkConfig(t, folder, nil, "--env-file", path)
	if got["JICOFO_DUMP"].value != "/opt/$NODE/x" ||
		got["PROSODY_DUMP"].value != "a$1" ||
		got["LOG_LEVEL"].value != "info" || got["PARTICIPANT_MAX"].value != "100" {
		t.Errorf("as systemd: %v", got)
	}
	if len(notices) != 2 ||
		!strings.Contains(notices[0], path+": line 3 ") || !strings.Contains(notices[1], path+": line 7 ") {
		t.Errorf("as systemd: notices %q", notices)
	}
}
