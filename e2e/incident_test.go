package e2e

import (
	"maps"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/signal-sidecar/signal-sidecar/testbed"
)

// kept is the number of polls of each collector that are kept from before an incident, and the number that are exported
// after it. Of the other polls, one in 60 is exported.
const kept = 60

// collectors are the names of the root spans of polls.
var collectors = []string{"poll jicofo", "poll prosody", "poll status_file"}

// TestIncidentInJaeger looks up an incident that followed a quiet time.
func TestIncidentInJaeger(t *testing.T) {
	j := startJaeger(t)
	s := startShard(t, j.settings().With(vars{
		"TRACE_KEEP": "incidents", "POLLING_INTERVAL": "0.04", "DRAIN_GRACE_INTERVAL": "0.5",
		"OTEL_BSP_MAX_QUEUE_SIZE": "128", "JICOFO_DUMP": "/bin/sleep 0.2",
	}))
	s.awaitProbes(t, kept+160, "ok") // the first verdict is a change too, so polls are exported after it

	quiet := s.probes("jicofo_health", "ok")
	s.jicofo("code 503")
	s.Becomes(t, "up drain 0%")
	id := s.incident(t)
	s.Becomes(t, "down ready 100%") // the grace interval is over
	s.awaitProbes(t, 10, "http_error")
	s.jicofo("healthy")
	s.Becomes(t, "up ready 100%")
	failing := s.probes("jicofo_health", "http_error")
	s.awaitProbes(t, kept+20, "ok")

	var found incident
	testbed.Eventually(t, "the incident in Jaeger", bound, func() bool {
		found = incident{id: id, traces: j.traces(t, map[string]string{"incident.id": id})}
		return len(found.verdicts()) == 3 && len(found.failing()) >= failing && found.has("dump jicofo")
	})
	t.Run("every span carries its name", found.checkNames)
	t.Run("the verdict's changes", found.checkVerdicts)
	t.Run("the failing polls", func(t *testing.T) {
		if n := len(found.failing()); n != failing {
			t.Errorf("%d polls that failed, want %d", n, failing)
		}
	})
	t.Run("the minute before", found.checkMinuteBefore)
	t.Run("the minute after", func(t *testing.T) {
		for _, collector := range collectors {
			var after int
			testbed.Eventually(t, "the polls after the incident", bound, func() bool {
				after = 0
				for _, trace := range j.traces(t, nil) {
					root := trace.root()
					if root.OperationName == collector && root.tag("incident.id") == "" && root.began().After(found.ended()) {
						after++
					}
				}
				return after >= kept
			})
			if after > kept+2 { // one may have begun during the incident
				t.Errorf("%d times %q after the incident, want about %d", after, collector, kept)
			}
		}
	})
	t.Run("few of the quiet ones", func(t *testing.T) {
		n := 0
		for _, trace := range j.traces(t, nil) {
			root := trace.root()
			if root.OperationName == "poll jicofo" && root.tag("incident.id") == "" && root.began().Before(found.began()) {
				n++
			}
		}
		if want := kept + (quiet-kept)/kept; n < want-1 || n > want+1 {
			t.Errorf("%d of %d quiet polls were exported, want about %d", n, quiet, want)
		}
	})
	t.Run("nothing is lost", func(t *testing.T) {
		if failed, dropped := s.items("traces", "failed"), s.items("traces", "dropped"); failed != 0 || dropped != 0 {
			t.Errorf("%d spans failed and %d were dropped", failed, dropped)
		}
	})
}

// incident is what Jaeger finds for the incident's id.
type incident struct {
	id     string
	traces []jaegerTrace
}

// verdicts returns the changes of the verdict, in order.
func (i incident) verdicts() (all []jaegerSpan) {
	for _, trace := range i.traces {
		if root := trace.root(); strings.HasPrefix(root.OperationName, "verdict ") {
			all = append(all, root)
		}
	}
	slices.SortFunc(all, func(a, b jaegerSpan) int { return int(a.StartTime - b.StartTime) })
	return all
}

func (i incident) began() time.Time { return i.verdicts()[0].began() }
func (i incident) ended() time.Time { return i.verdicts()[2].began() }

// has reports whether there is a span with this name.
func (i incident) has(name string) bool {
	return slices.ContainsFunc(i.traces, func(trace jaegerTrace) bool {
		return slices.ContainsFunc(trace.Spans, func(s jaegerSpan) bool { return s.OperationName == name })
	})
}

// failing returns the polls in which the probe of jicofo's health failed.
func (i incident) failing() (all []jaegerTrace) {
	for _, trace := range i.traces {
		if slices.ContainsFunc(trace.Spans, func(s jaegerSpan) bool {
			return s.tag("signal.probe") == "jicofo_health" && s.tag("signal.outcome") == "http_error"
		}) {
			all = append(all, trace)
		}
	}
	return all
}

func (i incident) checkNames(t *testing.T) {
	for _, trace := range i.traces {
		for _, s := range trace.Spans {
			if got := s.tag("incident.id"); got != i.id {
				t.Fatalf("span %q of the trace of %q has incident.id %q, want %q", s.OperationName, trace.root().OperationName, got,
					i.id)
			}
		}
	}
}

func (i incident) checkVerdicts(t *testing.T) {
	for n, want := range []struct{ name, from, to, reason string }{
		{"verdict drain", "up ready 100%", "up drain 0%", "jicofo_overloaded"},
		{"verdict down", "up drain 0%", "down ready 100%", "jicofo_overloaded"},
		{"verdict ready", "down ready 100%", "up ready 100%", ""},
	} {
		s := i.verdicts()[n]
		if s.OperationName != want.name || s.tag("signal.verdict.from") != want.from ||
			s.tag("signal.verdict.to") != want.to ||
			!strings.Contains(s.tag("signal.verdict.reasons"), want.reason) {
			t.Errorf("change %d is %q with tags %v, want %v", n, s.OperationName, s.Tags, want)
		}
	}
	changes := i.verdicts()
	polls := map[string]bool{}
	for _, trace := range i.traces {
		polls[trace.TraceID] = trace.root().OperationName == "poll jicofo"
	}
	for _, n := range []int{0, 2} { // the change at the end of the grace interval has no poll as its cause
		links := changes[n].References
		if len(links) != 1 || links[0].RefType != "FOLLOWS_FROM" || !polls[links[0].TraceID] {
			t.Errorf("change %d links to %v, want the poll of jicofo that caused it", n, links)
		}
	}
}

// checkMinuteBefore counts the polls that ended before the failure.
func (i incident) checkMinuteBefore(t *testing.T) {
	before := map[string]int{}
	for _, trace := range i.traces {
		if root := trace.root(); root.began().Before(i.began()) {
			before[root.OperationName]++
		}
	}
	for _, trace := range i.failing() { // the first of them began before the verdict changed
		if trace.root().began().Before(i.began()) {
			before[trace.root().OperationName]--
		}
	}
	for _, collector := range collectors {
		if n := before[collector]; n < kept || n > kept+1 { // one may have been in progress
			t.Errorf("%d times %q before the failure, want %d", n, collector, kept)
		}
		delete(before, collector)
	}
	if len(before) != 0 {
		t.Errorf("more than polls before the failure: %v", slices.Collect(maps.Keys(before)))
	}
}

// TestAllInJaeger checks that every poll is exported.
func TestAllInJaeger(t *testing.T) {
	j := startJaeger(t)
	s := startShard(t, j.settings().With(vars{"TRACE_KEEP": "all"}))
	s.awaitProbes(t, 50, "ok")
	want := map[string]int{
		"poll jicofo": s.probes("jicofo_health", "ok"), "poll prosody": s.probes("prosody", "ok"),
		"poll status_file": s.probes("status_file", "ok"),
	}
	s.Stop(t, syscall.SIGTERM)
	got := map[string]int{}
	for _, trace := range j.traces(t, nil) {
		got[trace.root().OperationName]++
	}
	for _, collector := range collectors {
		if got[collector] < want[collector] {
			t.Errorf("%d times %q, want %d at least", got[collector], collector, want[collector])
		}
	}
}
