package health_test

import (
	"context"
	"regexp"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/signal-sidecar/signal-sidecar/health"
)

func describing() health.Config {
	cfg := defaultConfig()
	cfg.AgentDescription = true
	return cfg
}

// TestDescription compares replies byte for byte, with AGENT_DESCRIPTION and without.
func TestDescription(t *testing.T) {
	detail := func(text string) func(*node) {
		return func(n *node) { n.prosody.Health = health.Answer{Failure: health.FailureUnexpected, Detail: text} }
	}
	for _, c := range []struct {
		name        string
		change      func(*node)
		line, after string
	}{
		{"nothing to say", func(*node) {}, "up ready 100%", ""},
		{"drain by word", func(n *node) { n.statusFile.Contents = "drain" }, "up drain 0%",
			" #status_drain: the status file says drain"},
		{"maint by word", func(n *node) { n.statusFile.Contents = "maint" }, "up maint 0%",
			" #status_maint: the status file says maint"},
		{"too many participants", func(n *node) { n.jicofo.Participants = 5001 }, "up drain 0%",
			" #participants_max: 5001 participants, more than 5000"},
		{"down", func(n *node) { n.jicofo.Health.Code = 503 }, "down ready 100%", " #jicofo_overloaded: jicofo answered 503"},
		{"jicofo's words", func(n *node) { n.jicofo.Health = answered(500, noBridges+"\n") }, "down ready 100%",
			" #jicofo_unhealthy: jicofo answered 500: " + noBridges},
		{"words of a reply", func(n *node) { n.prosody.Health = answered(500, "\nup ready 100%\r\n# up") }, "down ready 100%",
			" #prosody_unhealthy: prosody answered 500: up ready 100% # up"},
		{"two reasons", func(n *node) { n.jicofo.Health.Code, n.prosody.Health.Code = 503, 404 }, "down ready 100%",
			" #prosody_unhealthy: prosody answered 404"},
		{"lines", detail("EOF\r\nup ready 100%\n"), "down ready 100%", " #prosody_unreachable: prosody: EOF up ready 100%"},
		{"control bytes", detail("a\tb\x00c\x1b[2Jd\x7f"), "down ready 100%", " #prosody_unreachable: prosody: a b?c?[2Jd?"},
		{"UTF-8", detail("dé→jà 日本"), "down ready 100%", " #prosody_unreachable: prosody: d??j? ??"},
		{"not UTF-8", detail("a\xff\xfe\xc3b"), "down ready 100%", " #prosody_unreachable: prosody: a???b"},
		{"what HAProxy reads otherwise", detail(`# up, "ready" ; 50% 'maint' \`), "down ready 100%",
			` #prosody_unreachable: prosody: # up, "ready" ; 50% 'maint' \`},
		{"no detail", detail(""), "down ready 100%", " #prosody_unreachable: prosody:"},
		{"long", detail(strings.Repeat("0123456789", 100)), "down ready 100%",
			" #prosody_unreachable: prosody: " + strings.Repeat("0123456789", 9)},
		{"long UTF-8", detail(strings.Repeat("é", 1000)), "down ready 100%",
			" #prosody_unreachable: prosody: " + strings.Repeat("?", 90)},
		{"binary word", func(n *node) { n.statusFile.Contents = "\x7fELF\x00\xff\n" }, "up drain 100%",
			` #status_unknown: the status file says "\x7fELF\x00\xff\n", which is no known word`},
		{
			"long word", func(n *node) { n.statusFile.Contents = strings.Repeat("x", 4096) }, "up drain 100%",
			` #status_unknown: the status file says "` + strings.Repeat("x", 40) + `", which is no known word`,
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			n := workingNode()
			c.change(&n)
			plain, described := observed(defaultConfig(), n, everyPart...).Current(),
				observed(describing(), n, everyPart...).Current()
			if got := string(plain.AgentLine); got != c.line+"\n" {
				t.Errorf("by default the reply is %q, want %q", got, c.line+"\n")
			}
			if got := string(described.AgentLine); got != c.line+c.after+"\n" {
				t.Errorf("the reply is\n%q, want\n%q", got, c.line+c.after+"\n")
			}
			for _, s := range []*health.Snapshot{plain, described} {
				said := strings.TrimSuffix(string(s.AgentLine), "\n")
				if r, e := s.Report().AgentMessage, s.Explain().AgentMessage; r != said || e != said {
					t.Errorf("the reply is %q, the report has %q, the explanation %q", said, r, e)
				}
			}
		})
	}
}

// TestNoDescriptionBeforeTheVerdict checks that there is no reply, and so no description, before the first verdict.
func TestNoDescriptionBeforeTheVerdict(t *testing.T) {
	s := health.NewMonitor(describing()).Current()
	if s.AgentLine != nil || s.Report().AgentMessage != "" {
		t.Errorf("the reply is %q", s.AgentLine)
	}
}

var describedReply = regexp.MustCompile(`^((?:up|down) (?:ready|drain|maint) [0-9]{1,3}%)(?: #([a-z_]+: [ -~]*))?\n$`)

// TestDescriptionIsOneLine checks that the reply is one line of printable ASCII for any texts, and that its words are
// the same as without a description.
func TestDescriptionIsOneLine(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := workingNode()
		text := rapid.Custom(func(t *rapid.T) string {
			return rapid.OneOf(rapid.String(),
				rapid.Map(rapid.SliceOf(rapid.Byte()), func(b []byte) string { return string(b) })).Draw(t, "text")
		})
		switch rapid.IntRange(0, 2).Draw(t, "prosody") {
		case 1:
			n.prosody.Health = health.Answer{Failure: health.FailureTLS, Detail: text.Draw(t, "prosody's failure")}
		case 2:
			n.prosody.Health = answered(500, text.Draw(t, "prosody's body"))
		}
		if rapid.Bool().Draw(t, "jicofo fails") {
			n.jicofo.StatsProblem = "! " + text.Draw(t, "jicofo")
		}
		n.statusFile = health.StatusFile{
			Found: rapid.Bool().Draw(t, "found"), Contents: text.Draw(t, "contents"), Problem: text.Draw(t, "problem"),
		}
		plain, described := health.NewMonitor(defaultConfig()), health.NewMonitor(describing())
		for _, p := range everyPart {
			plain.Observe(context.Background(), n.observe(p, epoch))
			described.Observe(context.Background(), n.observe(p, epoch))
		}
		got := described.Current()
		m := describedReply.FindStringSubmatch(string(got.AgentLine))
		switch {
		case m == nil:
			t.Fatalf("the reply is %q", got.AgentLine)
		case m[1]+"\n" != string(plain.Current().AgentLine):
			t.Fatalf("the words are %q, without a description %q", m[1], plain.Current().AgentLine)
		case len(m[2]) > 120:
			t.Fatalf("%d bytes of description: %q", len(m[2]), m[2])
		case (m[2] == "") != (len(got.Verdict.Reasons) == 0):
			t.Fatalf("described %q, for the reasons %+v", m[2], got.Verdict.Reasons)
		}
	})
}
