package health_test

import (
	"context"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"pgregory.net/rapid"

	"github.com/signal-sidecar/signal-sidecar/health"
)

// answered returns an answer with a body, as a probe returns it.
func answered(code int, body string) health.Answer {
	return health.Answer{Code: code, Exchange: &health.Exchange{Body: body}}
}

const noBridges = "No operational bridges available (total bridge count: 0)"

// TestDescribe checks that answers of jicofo and prosody are quoted where a person can use them.
func TestDescribe(t *testing.T) {
	for _, c := range []struct {
		name   string
		answer health.Answer
		want   string
	}{
		{"no body kept", health.Answer{Code: 200}, "answered 200"},
		{"no bridges", answered(500, noBridges), "answered 500: " + noBridges},
		{"XMPP", answered(503, "XMPP ping failed: null\r\n"), "answered 503: XMPP ping failed: null"},
		{"empty", answered(500, ""), "answered 500"},
		{"white space", answered(500, " \r\n\t\u00a0\ufeff"), "answered 500"},
		{"HTML", answered(404, "\n<!DOCTYPE html>\n<html><body>Not found</body></html>"), "answered 404"},
		{"JSON", answered(400, `{"error":"no such host"}`), `answered 400: {"error":"no such host"}`},
		{"lines", answered(500, "first\n\n  second\u2028third"), "answered 500: first second third"},
		{"escapes", answered(500, "\x1b[2Ja\x00b\x7fc\u009b31md\u202ee"), "answered 500: ?[2Ja?b?c?31md?e"},
		{"not UTF-8", answered(500, "a\xff\xfeb"), "answered 500: a\ufffd\ufffdb"},
		{"letters of others", answered(500, "pont indisponible à 日本"), "answered 500: pont indisponible à 日本"},
		{"200 characters", answered(500, strings.Repeat("é", 200)), "answered 500: " + strings.Repeat("é", 200)},
		{"more", answered(500, strings.Repeat("é", 201)), "answered 500: " + strings.Repeat("é", 197) + "..."},
	} {
		if got := c.answer.Describe(); got != c.want {
			t.Errorf("%s: %q, want %q", c.name, got, c.want)
		}
	}
}

// TestReasonsQuoteAnswers checks that the body of each service's answer is in the reason, the explanation and the
// reply.
func TestReasonsQuoteAnswers(t *testing.T) {
	for _, c := range []struct {
		change func(*node)
		want   string
	}{
		{func(n *node) { n.jicofo.Health = answered(500, noBridges) }, "jicofo_unhealthy: jicofo answered 500: " + noBridges},
		{func(n *node) { n.jicofo.Health = answered(503, "XMPP ping failed") },
			"jicofo_overloaded: jicofo answered 503: XMPP ping failed"},
		{func(n *node) { n.jicofo.Stats = answered(500, "no statistics") },
			"jicofo_stats_failed: jicofo statistics answered 500: no statistics"},
		{func(n *node) { n.prosody.Health = answered(404, "no mod_bosh") },
			"prosody_unhealthy: prosody answered 404: no mod_bosh"},
		{func(n *node) { n.jicofo.Health = answered(404, "<html>") },
			"jicofo_health_off: jicofo answered 404: health checks or REST are switched off there"},
	} {
		n := workingNode()
		c.change(&n)
		s := observed(describing(), n, everyPart...).Current()
		if got := s.Verdict.Reasons[0].String(); got != c.want {
			t.Errorf("the reason is %q, want %q", got, c.want)
		}
		if e := s.Explain(); string(e.Reasons[0].Code)+": "+e.Reasons[0].Text != c.want ||
			e.AgentMessage != "down ready 100% #"+c.want {
			t.Errorf("the explanation is %+v, want %q", e, c.want)
		}
	}
}

// TestReasonsAreOneLine checks that no answer of a service can put control characters for a terminal or a log into a
// reason.
func TestReasonsAreOneLine(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		text := rapid.OneOf(rapid.String(),
			rapid.Map(rapid.SliceOf(rapid.Byte()), func(b []byte) string { return string(b) }))
		n := workingNode()
		n.jicofo.Health = rapid.SampledFrom([]health.Answer{
			answered(500, text.Draw(t, "body")), {Failure: health.FailureProtocol, Detail: text.Draw(t, "detail")},
		}).Draw(t, "jicofo")
		n.prosody.Health = answered(500, text.Draw(t, "page"))
		n.statusFile = health.StatusFile{
			Found: rapid.Bool().Draw(t, "found"), Contents: text.Draw(t, "contents"), Problem: text.Draw(t, "problem"),
		}
		m := health.NewMonitor(defaultConfig())
		for _, p := range everyPart {
			m.Observe(context.Background(), n.observe(p, epoch))
		}
		for _, r := range m.Current().Verdict.Reasons {
			if !utf8.ValidString(r.Text) || strings.ContainsFunc(r.Text, func(r rune) bool { return !unicode.IsPrint(r) }) {
				t.Errorf("the reason is %q", r.Text)
			}
		}
	})
}
