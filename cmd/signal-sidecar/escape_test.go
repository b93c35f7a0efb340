package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"unicode"
)

// controls are texts that a terminal interprets: an escape sequence with C0 and one with C1, DEL, and a mark that
// reorders text. The writer below gets them in one piece and byte by byte.
const controls = "\x1b[31mred\u009b2Jclear\x7f\r\u202e"

// quoted is what must be printed instead.
const quoted = `\u001b[31mred\u009b2Jclear\u007f\u000d\u202e`

func TestEscapingWriter(t *testing.T) {
	for _, size := range []int{1, 2, 3, len(controls) + 8} {
		var out bytes.Buffer
		w := &escapingWriter{to: &out}
		text := []byte("à 👍\t" + controls + "\n")
		for len(text) > 0 {
			n := min(size, len(text))
			if written, err := w.Write(text[:n]); written != n || err != nil {
				t.Errorf("Write returned %d, %v", written, err)
			}
			text = text[n:]
		}
		if want := "à 👍\t" + quoted + "\n"; out.String() != want {
			t.Errorf("in pieces of %d bytes: %q, want %q", size, out.String(), want)
		}
	}
}

// TestCommandsEscape checks that no command prints control characters of a service, a file, or its own arguments.
func TestCommandsEscape(t *testing.T) {
	text, err := json.Marshal(controls)
	if err != nil {
		t.Fatal(err)
	}
	hostile := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		moment := `"2026-01-02T03:04:05.000Z"`
		fmt.Fprintf(w, `{"time":null,"state":"down","agentmessage":%[1]s,"damped":false,"reasons":[{"code":%[1]s,"text":%[1]s,`+
			`"since":%[2]s}],"incident":%[1]s,"next":{"agentmessage":%[1]s,"at":%[2]s}}`, text, moment)
	}))
	t.Cleanup(hostile.Close)
	unknown := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprintf(w, `{"state":%s}`, text)
	}))
	t.Cleanup(unknown.Close)
	recording := filepath.Join(t.TempDir(), "recording")
	if err := os.WriteFile(recording, fmt.Appendf(nil, "{\"recording\":%s}\n", text), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, args := range map[string][]string{
		"status":                 {"status", "--url", hostile.URL},
		"status --json":          {"status", "--json", "--url", hostile.URL},
		"status, unknown state":  {"status", "--url", unknown.URL},
		"status, bad URL":        {"status", "--url", "x" + controls},
		"replay, bad line":       {"replay", recording},
		"replay, no file":        {"replay", "no" + controls},
		"replay, bad setting":    {"replay", recording, "--set", controls},
		"check-config":           {"check-config", "--status-path", "x" + controls},
		"unknown command":        {controls},
		"unknown flag":           {"--x" + controls},
		"completion, other word": {"completion", controls},
	} {
		var stdout, stderr bytes.Buffer
		run(args, streams{&stdout, &stderr})
		got := stdout.String() + stderr.String()
		if strings.ContainsFunc(strings.NewReplacer("\n", "", "\t", "").Replace(got), unicode.IsControl) ||
			!strings.Contains(got, "[31mred") {
			t.Errorf("%s: %q", name, got)
		}
	}
}
