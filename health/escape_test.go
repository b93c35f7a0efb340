package health_test

import (
	"encoding/json"
	"reflect"
	"strings"
	"testing"
	"unicode"

	"pgregory.net/rapid"

	"github.com/signal-sidecar/signal-sidecar/health"
)

func TestEscape(t *testing.T) {
	for _, c := range []struct{ text, want, line string }{
		{"up ready 100%", "up ready 100%", "up ready 100%"},
		{"à 日本 👍\u00a0\u3000", "à 日本 👍\u00a0\u3000", "à 日本 👍\u00a0\u3000"},
		{"a\tb\nc", "a\tb\nc", `a\tb\nc`},
		{"\x1b[2J\x00\r\b\x7f", `\u001b[2J\u0000\u000d\u0008\u007f`, `\u001b[2J\u0000\u000d\u0008\u007f`},
		{"\u009b31m\u0085", `\u009b31m\u0085`, `\u009b31m\u0085`},
		{"\u202e\u2028\ufeff\U000e0041", `\u202e\u2028\ufeff\udb40\udc41`, `\u202e\u2028\ufeff\udb40\udc41`},
		{"a\x9b\xffb", "a\ufffd\ufffdb", "a\ufffd\ufffdb"},
	} {
		if got := health.Escape(c.text); got != c.want {
			t.Errorf("Escape(%q) is %q, want %q", c.text, got, c.want)
		}
		if got := health.EscapeLine(c.text); got != c.line {
			t.Errorf("EscapeLine(%q) is %q, want %q", c.text, got, c.line)
		}
	}
}

// TestEscapeKeepsJSON checks that JSON has the same meaning after Escape, and no control characters.
func TestEscapeKeepsJSON(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		text := rapid.StringOf(rapid.OneOf(rapid.Rune(), rapid.RuneFrom(nil, unicode.Cc, unicode.Cf))).Draw(t, "text")
		raw, err := json.Marshal(map[string]string{text: text})
		if err != nil {
			t.Fatal(err)
		}
		escaped := health.Escape(string(raw))
		var got map[string]string
		err = json.Unmarshal([]byte(escaped), &got)
		if err != nil || !reflect.DeepEqual(got, map[string]string{text: text}) {
			t.Errorf("%q becomes %q, %v", raw, escaped, err)
		}
		if strings.ContainsFunc(escaped, unicode.IsControl) {
			t.Errorf("%q has control characters", escaped)
		}
	})
}
