package signalnode

import (
	"strings"
	"testing"
)

func TestParseBehavior(t *testing.T) {
	for _, tt := range []struct{ in, want string }{
		{"healthy", "healthy"},
		{" \t healthy \r\n", "healthy"},
		{"code 503", "code 503"},
		{"code   200\n", "code 200"},
		{"code 599", "code 599"},
		{"body", "body"},
		{"body {\"participants\": \"many\"}", "body {\"participants\": \"many\"}"},
		{"body  two blanks ", "body  two blanks "},
		{"notjson", "notjson"},
		{"redirect 5", "redirect 5"},
		{"redirect loop", "redirect loop"},
		{"hang", "hang"},
		{"slow 1500ms", "slow 1.5s"},
		{"drip", "drip"},
		{"huge", "huge"},
		{"truncate", "truncate"},
		{"reset", "reset"},
		{"reset 2", "reset 2"},
		{"close", "close"},
		{"garbage", "garbage"},
	} {
		b, err := ParseBehavior(tt.in)
		if err != nil || b.String() != tt.want {
			t.Errorf("ParseBehavior(%q) = %q, %v; want %q", tt.in, b, err, tt.want)
		}
	}
}

func TestParseBehaviorErrors(t *testing.T) {
	const all = "accepted: healthy, code <200-599>, body <text>, notjson, redirect <1-1000>|loop, hang, slow <duration>, " +
		"drip, huge, truncate, reset [<1-1000000>], close, garbage"
	for _, tt := range []struct{ in, want string }{
		{"", `behavior "" is not known; ` + all},
		{"broken", `behavior "broken" is not known; ` + all},
		{"Hang", `behavior "Hang" is not known; ` + all},
		{"a\nb", `behavior "a\nb" is not known; ` + all},
		{"hang 5", `behavior "hang 5": it takes no argument; accepted: hang`},
		{"code", `behavior "code": "" is not a number from 200 to 599; accepted: code <200-599>`},
		{"code 100", `behavior "code 100": "100" is not a number from 200 to 599; accepted: code <200-599>`},
		{"code 600", `behavior "code 600": "600" is not a number from 200 to 599; accepted: code <200-599>`},
		{"code x", `behavior "code x": "x" is not a number from 200 to 599; accepted: code <200-599>`},
		{"redirect 0", `behavior "redirect 0": "0" is not a number from 1 to 1000; accepted: redirect <1-1000>|loop`},
		{"reset -1", `behavior "reset -1": "-1" is not a number from 1 to 1000000; accepted: reset [<1-1000000>]`},
		{"slow", `behavior "slow": "" is not a duration; accepted: slow <duration>`},
		{"slow 5", `behavior "slow 5": "5" is not a duration; accepted: slow <duration>`},
		{"slow -1s", `behavior "slow -1s": the duration must be positive; accepted: slow <duration>`},
	} {
		b, err := ParseBehavior(tt.in)
		if err == nil || err.Error() != tt.want || b != (Behavior{}) {
			t.Errorf("ParseBehavior(%q) = %q, %v\nwant the error %s", tt.in, b, err, tt.want)
		}
	}
}

func TestMustParseBehaviorPanics(t *testing.T) {
	defer func() {
		if recover() == nil {
			t.Error("no panic")
		}
	}()
	MustParseBehavior("nonsense")
}

func FuzzParseBehavior(f *testing.F) {
	for _, form := range forms {
		f.Add(form.usage)
		f.Add(form.kind + " 5")
	}
	for _, seed := range []string{"", "slow 1h2m3.5s", "redirect loop", "reset 999999999999999999999", "body \x00\n",
		"code +503"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, s string) {
		b, err := ParseBehavior(s)
		if err != nil {
			if text := err.Error(); b != (Behavior{}) || !strings.Contains(text, "accepted: ") || strings.ContainsAny(text,
				"\r\n") {
				t.Errorf("ParseBehavior(%q) = %q, %q; want the zero Behavior, and one line that says what is accepted", s, b, text)
			}
			return
		}
		if again, err := ParseBehavior(b.String()); err != nil || again != b {
			t.Errorf("ParseBehavior(%q) = %#v; its String %q parses as %#v, %v", s, b, b.String(), again, err)
		}
	})
}
