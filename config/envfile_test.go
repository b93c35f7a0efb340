package config

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/signal-sidecar/signal-sidecar/testbed"
)

// TestBadEnvFiles gives files that cannot be used. No error contains text of the file.
func TestBadEnvFiles(t *testing.T) {
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
			folder := t.TempDir()
			path := testbed.Write(t, folder, ".env", c.content)
			expectBadEnvFile(t, secret, path, c.problem, t.TempDir(), nil, "--env-file", path)
			expectBadEnvFile(t, secret, path, c.problem, t.TempDir(), vars{"ENV_FILE": path})
			expectBadEnvFile(t, secret, ".env", c.problem, folder, nil)
			if !c.dotenv {
				path = testbed.Write(t, folder, "config", c.content)
				expectBadEnvFile(t, secret, path, "", t.TempDir(), vars{"ENV_FILE": path})
			}
		})
	}
	t.Run("folder", func(t *testing.T) {
		folder := t.TempDir()
		testbed.Must(t, os.Mkdir(filepath.Join(folder, ".env"), 0o755))
		expectBadEnvFile(t, secret, ".env", "", folder, nil)
		expectBadEnvFile(t, secret, folder, "", t.TempDir(), nil, "--env-file", folder)
	})
	t.Run("missing", func(t *testing.T) {
		path := filepath.Join(t.TempDir(), "missing.env")
		expectBadEnvFile(t, secret, path, "", t.TempDir(), nil, "--env-file", path)
		expectBadEnvFile(t, secret, path, "", t.TempDir(), vars{"ENV_FILE": path})
		expectBadEnvFile(t, secret, ".env", "", t.TempDir(), nil, "--env-file=.env")
	})
}

// expectBadEnvFile loads settings from a file that must be refused. The error is an EnvFileError that names the file
// and the problem, and does not quote the file.
func expectBadEnvFile(t *testing.T, secret, path, problem, folder string, v vars, flags ...string) {
	t.Helper()
	_, _, err := load(t, folder, v, flags...)
	var bad *EnvFileError
	if !errors.As(err, &bad) {
		t.Errorf("%v %v: %v", v, flags, err)
		return
	}
	text := bad.Error()
	if !strings.HasPrefix(text, `ENV_FILE="`+path+`"`) || !strings.Contains(text, problem) || strings.Contains(text, "\n") {
		t.Errorf("%q is not one line about ENV_FILE=%q with %q", text, path, problem)
	}
	for n := 3; n <= len(secret); n++ {
		if strings.Contains(text, secret[:n]) || strings.Contains(text, secret[len(secret)-n:]) {
			t.Fatalf("%q quotes the file", text)
		}
	}
}

// TestSecretsAreNotShown sets variables that can contain secrets, in the environment and in the file.
func TestSecretsAreNotShown(t *testing.T) {
	secrets := vars{
		"OTEL_EXPORTER_OTLP_HEADERS": "authorization=hunter2", "OTEL_EXPORTER_OTLP_TRACES_HEADERS": "authorization=hunter2",
		"OTEL_EXPORTER_OTLP_METRICS_HEADERS": "authorization=hunter2",
		"OTEL_EXPORTER_OTLP_LOGS_HEADERS":    "authorization=hunter2",
		"CONSUL_HTTP_TOKEN":                  "hunter2", "CONSUL_HTTP_AUTH": "admin:hunter2",
	}
	open := vars{"OTEL_SERVICE_NAME": "shard-17", "CONSUL_CACERT": "/etc/ca.pem"}
	folder := t.TempDir()
	testbed.Write(t, folder, ".env", secrets.With(open).EnvFile())
	for origin, v := range map[string]vars{"environment": secrets.With(open), ".env": nil} {
		_, printed, err := load(t, folder, v)
		if err != nil || strings.Contains(printed, "hunter2") {
			t.Errorf("%s: %v, and this is shown:\n%s", origin, err, printed)
		}
		lines := strings.Join(strings.Fields(printed), " ")
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
	folder := t.TempDir()
	const content = "JICOFO_DUMP=/opt/$NODE/x\nPROSODY_DUMP=\"a$1\"\nexport LOG_LEVEL=debug\n"
	testbed.Write(t, folder, ".env", content)
	path := testbed.Write(t, folder, "config", content+"; a comment\nPARTICIPANT_MAX=\\\n100\nno variable\n")

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
