package health_test

import (
	"context"
	"slices"
	"testing"
	"time"

	"github.com/signal-sidecar/signal-sidecar/health"
)

// A cause is a failure or setting that leads to one reason on a node without other failures.
type cause struct {
	code  health.Code
	parts []part // that must be observed for it
	apply func(*node)
	text  string
}

// causes are in the order of their reasons: first a status file that is unreadable or set to unhealthy, which no grace
// covers; then prosody, which jicofo needs; then jicofo; then the causes that only keep users away.
var causes = []cause{
	{health.ReasonStatusFileMissing, []part{partStatusFile},
		func(n *node) { n.statusFile = health.StatusFile{Problem: "no such file"} }, "status file: no such file"},
	{health.ReasonStatusUnhealthy, []part{partStatusFile}, func(n *node) { n.statusFile.Contents = "unhealthy" },
		"the status file says unhealthy"},
	{health.ReasonProsodyTimeout, []part{partProsody}, func(n *node) { n.prosody.Health = failed(health.FailureTimeout) },
		"prosody: timeout"},
	{health.ReasonProsodyNoAnswer, []part{partProsody}, func(n *node) { n.prosody.Health = failed(health.FailureRefused) },
		"prosody: connection_refused"},
	{health.ReasonProsodyUnhealthy, []part{partProsody}, func(n *node) { n.prosody.Health.Code = 404 },
		"prosody answered 404"},
	{health.ReasonJicofoOverloaded, []part{partJicofo}, func(n *node) { n.jicofo.Health.Code = 503 },
		"jicofo answered 503"},
	{health.ReasonJicofoTimeout, []part{partJicofo}, func(n *node) { n.jicofo.Health = failed(health.FailureTimeout) },
		"jicofo: timeout"},
	{health.ReasonJicofoNoAnswer, []part{partJicofo}, func(n *node) { n.jicofo.Health = failed(health.FailureReset) },
		"jicofo: connection_reset"},
	{health.ReasonJicofoUnhealthy, []part{partJicofo}, func(n *node) { n.jicofo.Health.Code = 500 },
		"jicofo answered 500"},
	{health.ReasonJicofoHealthOff, []part{partJicofo}, func(n *node) { n.jicofo.Health.Code = 404 },
		"jicofo answered 404: health checks or REST are switched off there"},
	{health.ReasonStatsNoAnswer, []part{partJicofo}, func(n *node) { n.jicofo.Stats.Code = 404 },
		"jicofo statistics answered 404"},
	{health.ReasonStatsInvalid, []part{partJicofo}, func(n *node) { n.jicofo.StatsProblem = "not JSON" },
		"jicofo statistics: not JSON"},
	{health.ReasonDampening, []part{partProsody}, nil, "healthy again, but not yet for 30s"}, // see damped
	{health.ReasonStatusMaint, []part{partStatusFile}, func(n *node) { n.statusFile.Contents = "MAINT" },
		"the status file says maint"},
	{health.ReasonStatusDrain, []part{partStatusFile}, func(n *node) { n.statusFile.Contents = " drain " },
		"the status file says drain"},
	{health.ReasonStatusUnknown, []part{partStatusFile}, func(n *node) { n.statusFile.Contents = "" },
		`the status file says "", which is no known word`},
	{health.ReasonParticipantsMax, []part{partJicofo, partStatusFile}, func(n *node) { n.jicofo.Participants = 5001 },
		"5001 participants, more than 5000"},
}

// failed returns the Answer of a probe without a reply.
func failed(f health.Failure) health.Answer { return health.Answer{Failure: f, Detail: string(f)} }

// damped reports whether the cause is the dampening, which needs a failure that has ended.
func (c cause) damped() bool { return c.apply == nil }

// show returns the snapshot of a node with these causes, after its parts were observed in this order.
func show(cfg health.Config, order []part, at time.Time, all ...cause) *health.Snapshot {
	n, m := workingNode(), health.NewMonitor(cfg)
	for _, c := range all {
		if !c.damped() {
			c.apply(&n)
		}
	}
	if slices.ContainsFunc(all, cause.damped) {
		ill := n
		ill.prosody.Health.Code = 500
		for _, p := range order {
			m.Observe(context.Background(), ill.observe(p, at))
		}
	}
	for _, p := range order {
		m.Observe(context.Background(), n.observe(p, at))
	}
	return m.Current()
}

func codes(v health.Verdict) []health.Code {
	all := make([]health.Code, 0, len(v.Reasons))
	for _, r := range v.Reasons {
		all = append(all, r.Code)
	}
	return all
}

// TestEveryReasonOccurs checks that each declared reason has a cause, and that the cause leads to this reason only.
func TestEveryReasonOccurs(t *testing.T) {
	known := make([]health.Code, 0, len(causes))
	for _, c := range causes {
		known = append(known, c.code)
		v := show(defaultConfig(), everyPart, epoch, c).Verdict
		want := []health.Reason{{Code: c.code, Text: c.text, Since: epoch}}
		if !slices.Equal(v.Reasons, want) || v.RootReason() != c.code || !v.Has(c.code) {
			t.Errorf("the reasons are %+v, want %+v", v.Reasons, want)
		}
		for _, other := range health.Codes {
			if v.Has(other) != (other == c.code) {
				t.Errorf("%s: has %s is %t", c.code, other, v.Has(other))
			}
		}
	}
	if !slices.Equal(known, health.Codes) {
		t.Errorf("declared are\n%v, known causes have\n%v", health.Codes, known)
	}
}

// TestFurtherCauses covers other causes of the same reasons.
func TestFurtherCauses(t *testing.T) {
	for _, c := range []cause{
		{health.ReasonStatsNoAnswer, nil, func(n *node) { n.jicofo.Stats = failed(health.FailureTimeout) },
			"jicofo statistics: timeout"},
		{health.ReasonJicofoUnhealthy, nil, func(n *node) { n.jicofo.Health.Code = 204 }, "jicofo answered 204"},
		// a failed health check hides the statistics
		{health.ReasonJicofoOverloaded, nil,
			func(n *node) { n.jicofo.Health.Code, n.jicofo.Stats = 503, failed(health.FailureTimeout) }, "jicofo answered 503"},
		{health.ReasonJicofoTimeout, nil, func(n *node) {
			n.jicofo.Health, n.jicofo.Stats = failed(health.FailureTimeout), failed(health.FailureReset)
		}, "jicofo: timeout"},
		{health.ReasonStatusFileMissing, nil, func(n *node) {
			n.statusFile = health.StatusFile{Contents: "drain", Problem: "is a folder"}
		}, "status file: is a folder"},
		// a load that does not decide the verdict is not a reason
		{health.ReasonStatusDrain, nil, func(n *node) { n.statusFile.Contents, n.jicofo.Participants = "drain", 9000 },
			"the status file says drain"},
		{health.ReasonStatusUnknown, nil, func(n *node) { n.statusFile.Contents, n.jicofo.Participants = "?", 9000 },
			`the status file says "?", which is no known word`},
	} {
		v := show(defaultConfig(), everyPart, epoch, c).Verdict
		if want := []health.Reason{{Code: c.code, Text: c.text, Since: epoch}}; !slices.Equal(v.Reasons, want) {
			t.Errorf("the reasons are %+v, want %+v", v.Reasons, want)
		}
	}
}

// TestOrderOfReasons checks every pair of causes that can occur together: the root cause comes first, in whatever order
// they were observed.
func TestOrderOfReasons(t *testing.T) {
	backwards := slices.Clone(everyPart)
	slices.Reverse(backwards)
	pairs := 0
	for i, first := range causes {
		for _, second := range causes[i+1:] {
			if slices.ContainsFunc(first.parts, func(p part) bool { return slices.Contains(second.parts, p) }) {
				continue
			}
			want := []health.Code{first.code, second.code}
			if second.damped() {
				want = want[:1] // the node has not recovered
			}
			pairs++
			for _, order := range [][]part{everyPart, backwards, append(slices.Clone(everyPart[1:]), everyPart[0])} {
				if got := codes(show(defaultConfig(), order, epoch, second, first).Verdict); !slices.Equal(got, want) {
					t.Errorf("%s and %s, seen in the order %v: the reasons are %v", first.code, second.code, order, got)
				}
			}
		}
	}
	if least := 87; pairs < least {
		t.Errorf("%d pairs were tried, want %d or more", pairs, least)
	}
}

// TestSince checks that a reason keeps the time at which it began while it holds, whatever is observed and however its
// text changes. It gets a new time when it comes back.
func TestSince(t *testing.T) {
	m, n := health.NewMachine(defaultConfig()), workingNode()
	for _, p := range everyPart {
		m.Observe(n.observe(p, epoch))
	}
	load := func(participants float64) func() { return func() { n.jicofo.Participants = participants } }
	for _, step := range []struct {
		at    time.Duration
		do    func()
		part  part
		since map[health.Code]time.Duration
		text  string // of the root reason
	}{
		{5 * time.Second, load(5001), partJicofo, since(health.ReasonParticipantsMax, 5),
			"5001 participants, more than 5000"},
		{10 * time.Second, load(6000), partJicofo, since(health.ReasonParticipantsMax, 5),
			"6000 participants, more than 5000"},
		{11 * time.Second, nil, partStatusFile, since(health.ReasonParticipantsMax, 5), "6000 participants, more than 5000"},
		{12 * time.Second, nil, partCensus, since(health.ReasonParticipantsMax, 5), "6000 participants, more than 5000"},
		{15 * time.Second, load(10), partJicofo, nil, ""},
		{20 * time.Second, load(5002), partJicofo, since(health.ReasonParticipantsMax, 20),
			"5002 participants, more than 5000"},
		{25 * time.Second, load(10), partJicofo, nil, ""},
		{30 * time.Second, func() { n.jicofo.Health.Code = 503 }, partJicofo, since(health.ReasonJicofoOverloaded, 30),
			"jicofo answered 503"},
		{35 * time.Second, nil, partJicofo, since(health.ReasonJicofoOverloaded, 30), "jicofo answered 503"},
		{40 * time.Second, func() { n.prosody.Health.Code = 500 }, partProsody,
			since(health.ReasonJicofoOverloaded, 30, health.ReasonProsodyUnhealthy, 40), "prosody answered 500"},
		{45 * time.Second, func() { n.prosody.Health.Code = 502 }, partProsody,
			since(health.ReasonJicofoOverloaded, 30, health.ReasonProsodyUnhealthy, 40), "prosody answered 502"},
		{50 * time.Second, func() { n.jicofo.Health.Code = 500 }, partJicofo,
			since(health.ReasonJicofoUnhealthy, 50, health.ReasonProsodyUnhealthy, 40), "prosody answered 502"},
		{55 * time.Second, func() { n.prosody.Health.Code = 200 }, partProsody, since(health.ReasonJicofoUnhealthy, 50),
			"jicofo answered 500"},
		{60 * time.Second, func() { n.jicofo.Health.Code = 200 }, partJicofo, since(health.ReasonDampening, 60),
			"healthy again, but not yet for 30s"},
		{65 * time.Second, nil, partJicofo, since(health.ReasonDampening, 60), "healthy again, but not yet for 30s"},
		{70 * time.Second, func() { n.jicofo.Health.Code = 503 }, partJicofo, since(health.ReasonJicofoOverloaded, 70),
			"jicofo answered 503"},
		{75 * time.Second, func() { n.jicofo.Health.Code = 200 }, partJicofo, since(health.ReasonDampening, 75),
			"healthy again, but not yet for 30s"},
		{105 * time.Second, nil, partJicofo, nil, ""},
	} {
		if step.do != nil {
			step.do()
		}
		v := m.Observe(n.observe(step.part, epoch.Add(step.at))).Verdict
		if len(v.Reasons) != len(step.since) || len(v.Reasons) > 0 && v.Reasons[0].Text != step.text {
			t.Errorf("at %s: the reasons are %+v, want %v, the first %q", step.at, v.Reasons, step.since, step.text)
		}
		for _, r := range v.Reasons {
			if got := r.Since.Sub(epoch); got != step.since[r.Code] {
				t.Errorf("at %s: %s is in force since %s, want %s", step.at, r.Code, got, step.since[r.Code])
			}
		}
	}
}

// since parses pairs of a code and its seconds.
func since(pairs ...any) map[health.Code]time.Duration {
	all := map[health.Code]time.Duration{}
	for i := 0; i < len(pairs); i += 2 {
		all[pairs[i].(health.Code)] = time.Duration(pairs[i+1].(int)) * time.Second
	}
	return all
}

// TestReasonsStayWithTheirVerdict checks that later observations do not change a published verdict.
func TestReasonsStayWithTheirVerdict(t *testing.T) {
	m, n := health.NewMonitor(defaultConfig()), workingNode()
	n.prosody.Health.Code, n.jicofo.Health.Code, n.statusFile.Contents = 500, 503, "drain"
	for _, p := range everyPart {
		m.Observe(context.Background(), n.observe(p, epoch))
	}
	before := m.Current()
	kept := slices.Clone(before.Verdict.Reasons)
	n = workingNode()
	n.prosody.Health = failed(health.FailureTimeout)
	for _, p := range everyPart {
		m.Observe(context.Background(), n.observe(p, epoch.Add(time.Second)))
		_, _ = before.Next()
	}
	if !slices.Equal(before.Verdict.Reasons, kept) {
		t.Errorf("the reasons turned from %+v into %+v", kept, before.Verdict.Reasons)
	}
}
