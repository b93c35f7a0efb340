package collector

import (
	"net/http"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
	"unicode/utf8"

	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"

	"github.com/signal-sidecar/signal-sidecar/health"
)

// TestLogTellsChanges checks that a failing probe is logged when it begins to fail, fails differently and works again,
// and not in between.
func TestLogTellsChanges(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var code, latest atomic.Int64
		v, r := newVirtual(t, func(w http.ResponseWriter, r *http.Request) {
			latest.Store(code.Load())
			if code.Load() == 0 {
				pause(r, time.Hour)
				return
			}
			w.WriteHeader(int(code.Load()))
			_, _ = w.Write([]byte("in its\r\nown words\x1b[2J\n"))
		}), newRig(t)
		r.options.Dial, r.options.Interval, r.options.Timeout = v.dial, 10*time.Second, 3*time.Second
		code.Store(200)
		r.run(NewProsody(origin, r.options))
		polls := func(n int, answer int64) {
			time.Sleep(time.Second) // virtual: after the poll, before the next
			code.Store(answer)
			for range n {
				r.next()
				if latest.Load() != answer {
					t.Fatalf("answered %d, want %d", latest.Load(), answer)
				}
			}
		}
		r.next()
		polls(3, 200)
		polls(4, 503)
		polls(2, 500)
		polls(2, 503)
		polls(3, 0)
		polls(3, 200)
		polls(1, 404)
		polls(1, 200)
		want := []string{
			`level=WARN msg="probe began to fail" probe=prosody outcome=http_error detail="answered 503: in its own words?[2J"`,
			`level=WARN msg="probe fails differently" probe=prosody outcome=http_error detail="answered 500: in its own words?[2J" failures=4`,
			`level=WARN msg="probe fails differently" probe=prosody outcome=http_error detail="answered 503: in its own words?[2J" failures=6`,
			`level=WARN msg="probe fails differently" probe=prosody outcome=timeout detail="gave no reply at node.example:8888 within 3s" error="context deadline exceeded" failures=8`,
			`level=INFO msg="probe works again" probe=prosody failures=11 seconds=110`,
			`level=WARN msg="probe began to fail" probe=prosody outcome=http_error detail="answered 404: in its own words?[2J"`,
			`level=INFO msg="probe works again" probe=prosody failures=1 seconds=10`,
		}
		if got := r.log.Lines(); !slices.Equal(got, want) {
			t.Errorf("logged:\n%s\nwant:\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
		}
	})
}

// TestLogStatusFile does the same for the status file, which has its own failures.
func TestLogStatusFile(t *testing.T) {
	r := newFileRig(t)
	r.options.Interval = 10 * ms
	write(t, r.path, "ready")
	stop := r.start()
	r.await(health.WordReady)
	remove(t, r.path)
	r.await(health.WordUnknown, health.WordReady)
	for range 5 {
		r.expect(health.WordUnknown)
	}
	replace(t, r.path, "reddy")
	for r.next().StatusFile.Contents != "reddy" {
	}
	replace(t, r.path, "redy") // not a known word either
	for r.next().StatusFile.Contents != "redy" {
	}
	replace(t, r.path, "drain")
	r.await(health.WordDrain, health.WordUnknown)
	stop() // the log line is written after the observation has been passed on
	want := []string{
		`level=WARN msg="probe began to fail" probe=status_file outcome=unreadable detail="`,
		`level=WARN msg="probe fails differently" probe=status_file outcome=unknown_word detail="\"reddy\"" failures=`,
		`level=INFO msg="probe works again" probe=status_file failures=`,
	}
	if got := r.log.Lines(); !slices.EqualFunc(got, want, strings.HasPrefix) {
		t.Errorf("logged:\n%s\nwant lines that begin with:\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

// TestMetricsOfEveryProbe checks the duration, outcome, attempts and success of each probe, in every condition of the
// node. All labels must be from the declared sets.
func TestMetricsOfEveryProbe(t *testing.T) {
	t.Parallel()
	for _, behavior := range []string{"healthy", "code 503", "notjson", "reset", "garbage", "huge", "redirect loop",
		"crash", "hang"} {
		t.Run(behavior, func(t *testing.T) {
			t.Parallel()
			node, r := startNode(t), newRig(t)
			behave(t, node.Jicofo, "", behavior)
			behave(t, node.Prosody, "", behavior)
			if behavior == "hang" {
				r.options.Timeout = time.Second
			}
			r.run(NewJicofo(node.Jicofo.Origin(), r.options))
			r.run(NewProsody(node.Prosody.Origin(), r.options))
			r.run(NewCensus(node.Prosody.Origin(), "meet.example.com", r.options))
			r.run(NewStatusFile(filepath.Join(t.TempDir(), "missing"), r.options))
			for range 4 {
				r.next()
			}
			results := r.measured("signal.probe.results")
			// On a busy machine this process may not run for a while: a probe is then repeated.
			paused := strings.Contains(r.log.String(), "this process did not run during a probe")
			series := 0
			for _, p := range health.Probes {
				probe, outcome := string(p), ""
				series += len(p.Outcomes())
				total := 0.0
				for _, o := range p.Outcomes() {
					n, ok := results["outcome="+string(o)+",probe="+probe]
					if !ok {
						t.Errorf("%s: no series of %s", probe, o)
					}
					if n == 1 {
						outcome = string(o)
					}
					total += n
				}
				if total != 1 || (outcome == "ok") != (r.measured("signal.probe.success")["probe="+probe] == 1) {
					t.Errorf("%s: outcome %q, success %v", probe, outcome, r.measured("signal.probe.success"))
				}
				if n := r.measured("signal.probe.duration")["probe="+probe]; n != 1 {
					t.Errorf("%s: %v durations", probe, n)
				}
				attempts := 1.0
				if slices.Contains([]string{"connection_reset", "connection_refused", "malformed_response"}, outcome) {
					attempts = 3
				}
				if n := r.measured("signal.probe.attempts")["probe="+probe]; n != attempts && !paused {
					t.Errorf("%s: %v attempts for %s, want %v", probe, n, outcome, attempts)
				}
			}
			if len(results) != series {
				t.Errorf("signal.probe.results has %d series, want %d: %v", len(results), series, results)
			}
			for _, m := range r.instruments() {
				if !strings.HasPrefix(m.Name, "signal.probe.") || m.Description == "" {
					t.Errorf("instrument %q with description %q", m.Name, m.Description)
				}
				if points := r.measured(m.Name); m.Name != "signal.probe.results" && len(points) != len(health.Probes) {
					t.Errorf("%s has labels besides the probe: %v", m.Name, points)
				}
			}
		})
	}
}

// TestCountersBeginAtZero checks that all counters exist before the first poll, so that a rate includes the first
// result.
func TestCountersBeginAtZero(t *testing.T) {
	r := newRig(t)
	for _, newCollector := range []func() (Collector, error){
		func() (Collector, error) { return NewJicofo(origin, r.options) },
		func() (Collector, error) { return NewStatusFile("status", r.options) },
	} {
		if _, err := newCollector(); err != nil {
			t.Fatal(err)
		}
	}
	for _, instrument := range []string{"signal.probe.results", "signal.probe.attempts"} {
		points := r.measured(instrument)
		for labels, value := range points {
			if value != 0 {
				t.Errorf("%s: %s is %v", instrument, labels, value)
			}
		}
		if len(points) == 0 {
			t.Errorf("%s is not there", instrument)
		}
	}
	results := r.measured("signal.probe.results")
	for _, labels := range []string{
		"outcome=ok,probe=jicofo_health", "outcome=http_error,probe=jicofo_health", "outcome=invalid_body,probe=jicofo_stats",
		"outcome=timeout,probe=jicofo_stats", "outcome=local_resources,probe=status_file",
		"outcome=unknown_word,probe=status_file",
	} {
		if _, ok := results[labels]; !ok {
			t.Errorf("no series of %s: %v", labels, results)
		}
	}
}

// TestDurationBuckets checks that 0.05 s, the threshold of SignalProbeSlow and the default PROBE_TIMEOUT are
// boundaries, and that the last is the highest: no quantile is above the longest duration of a probe.
func TestDurationBuckets(t *testing.T) {
	r := newRig(t)
	in, err := newInstruments(r.options)
	if err != nil {
		t.Fatal(err)
	}
	in.duration.Record(t.Context(), 1)
	bounds := r.instruments()[0].Data.(metricdata.Histogram[float64]).DataPoints[0].Bounds
	for _, want := range []float64{.05, 1.5, 3} {
		if !slices.Contains(bounds, want) {
			t.Errorf("%v s is not among the boundaries %v", want, bounds)
		}
	}
	if highest := bounds[len(bounds)-1]; highest != 3 {
		t.Errorf("the highest boundary is %v", highest)
	}
}

// TestSpans checks the trace of a poll, with its probes and their attempts, up to the service.
func TestSpans(t *testing.T) {
	node, r := startNode(t), newRig(t)
	behave(t, node.Jicofo, "/about/health", "reset 2")
	stop := r.run(NewJicofo(node.Jicofo.Origin(), r.options))
	got := r.next()
	stop()

	poll := spanNamed(t, r, "poll jicofo")
	if poll.Parent().IsValid() {
		t.Error("a poll is the root of its trace")
	}
	if observed := trace.SpanContextFromContext(got.ctx); observed.SpanID() != poll.SpanContext().SpanID() {
		t.Error("the observation's context does not carry the poll's span")
	}
	for _, tt := range []struct {
		probe, path string
		attempts    int
	}{{"probe jicofo_health", "/about/health", 3}, {"probe jicofo_stats", "/stats", 1}} {
		probe := spanNamed(t, r, tt.probe)
		if probe.Parent().SpanID() != poll.SpanContext().SpanID() || probe.Status().Code == codes.Error {
			t.Errorf("%s: parent %s, status %v", tt.probe, probe.Parent().SpanID(), probe.Status())
		}
		_, requests := node.Jicofo.Requests(tt.path)
		attempts := children(r, probe)
		if len(attempts) != tt.attempts || len(requests) != tt.attempts {
			t.Fatalf("%s: %d spans of attempts, %d requests, want %d", tt.probe, len(attempts), len(requests), tt.attempts)
		}
		for i, attempt := range attempts {
			failed := i < tt.attempts-1
			if attempt.SpanKind() != trace.SpanKindClient || attempt.Name() != "GET" ||
				(attempt.Status().Code == codes.Error) != failed {
				t.Errorf("%s: attempt %d is %s %q, %v", tt.probe, i+1, attempt.SpanKind(), attempt.Name(), attempt.Status())
			}
			c := attempt.SpanContext()
			if want := "00-" + c.TraceID().String() + "-" + c.SpanID().String() + "-01"; requests[i].Header.Get(
				"Traceparent") != want {
				t.Errorf("%s: the service got traceparent %q, want %q", tt.probe, requests[i].Header.Get("Traceparent"), want)
			}
		}
	}
	for _, s := range r.spans.Ended() {
		if s.SpanContext().TraceID() != poll.SpanContext().TraceID() {
			t.Errorf("%s is in another trace", s.Name())
		}
	}
}

// TestSpanOfFailure checks that the span describes the failure, in UTF-8: OTLP rejects a whole batch for invalid UTF-8.
func TestSpanOfFailure(t *testing.T) {
	tests := []struct {
		name, path string
		collector  func(origin string, o Options) (Collector, error)
		probe      string
		body       string
		outcome    string
	}{
		{"stats", "/stats", NewJicofo, "probe jicofo_stats", "{\"participants\":\"\xff\"}", "invalid_body"},
		{"census", "/room-census", func(origin string, o Options) (Collector, error) { return NewCensus(origin, "", o) },
			"probe census", "{\"room_census\":\"\xff\"}", "invalid_body"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r := newRig(t)
			stop := r.run(tt.collector(serveBodies(t, map[string][]byte{tt.path: []byte(tt.body)}), r.options))
			r.next()
			stop()
			s := spanNamed(t, r, tt.probe)
			if s.Status().Code != codes.Error || s.Status().Description == "" || !utf8.ValidString(s.Status().Description) {
				t.Errorf("status %+v", s.Status())
			}
			if attributeOf(s, "error.type") != tt.outcome || attributeOf(s, "signal.outcome") != tt.outcome {
				t.Errorf("attributes %v", s.Attributes())
			}
		})
	}
}

// TestSpansOfStatusFile checks the spans of the status file's collector.
func TestSpansOfStatusFile(t *testing.T) {
	r := newFileRig(t)
	write(t, r.path, "ready")
	stop := r.start()
	r.expect(health.WordReady)
	replace(t, r.path, "drain")
	got := r.next()
	stop()
	var polls []sdktrace.ReadOnlySpan
	for _, s := range r.spans.Ended() {
		if s.Name() == "poll status_file" {
			polls = append(polls, s)
		}
	}
	if len(polls) != 2 || attributeOf(polls[0], "signal.trigger") != "tick" ||
		attributeOf(polls[1], "signal.trigger") != "statusfile" {
		t.Fatalf("polls %v", polls)
	}
	if trace.SpanContextFromContext(got.ctx).SpanID() != polls[1].SpanContext().SpanID() {
		t.Error("the observation's context does not carry the poll's span")
	}
	for _, poll := range polls {
		if probes := children(r.rig, poll); len(probes) != 1 || probes[0].Name() != "probe status_file" {
			t.Errorf("probes %v", probes)
		}
	}
}

// TestSpanOfEachPoll checks that each poll begins a new trace, even if the context of Run has a span.
func TestSpanOfEachPoll(t *testing.T) {
	node, r := startNode(t), newRig(t)
	r.options.Interval = ms
	stop := r.run(NewProsody(node.Prosody.Origin(), r.options))
	for range 5 {
		r.next()
	}
	stop()
	traces := map[trace.TraceID]bool{}
	polls := 0
	for _, s := range r.spans.Ended() {
		if s.Name() == "poll prosody" {
			polls++
			traces[s.SpanContext().TraceID()] = true
		}
	}
	if polls < 5 || len(traces) != polls {
		t.Errorf("%d polls in %d traces", polls, len(traces))
	}
}

func spanNamed(t *testing.T, r *rig, name string) sdktrace.ReadOnlySpan {
	t.Helper()
	found := spansNamed(r, name)
	if len(found) != 1 {
		t.Fatalf("%d spans named %q", len(found), name)
	}
	return found[0]
}

// spansNamed returns the spans with that name, in the order in which they ended.
func spansNamed(r *rig, name string) (found []sdktrace.ReadOnlySpan) {
	for _, s := range r.spans.Ended() {
		if s.Name() == name {
			found = append(found, s)
		}
	}
	return found
}

// children returns the child spans of a span, in the order in which they ended.
func children(r *rig, of sdktrace.ReadOnlySpan) (found []sdktrace.ReadOnlySpan) {
	for _, s := range r.spans.Ended() {
		if s.Parent().SpanID() == of.SpanContext().SpanID() {
			found = append(found, s)
		}
	}
	slices.SortFunc(found, func(a, b sdktrace.ReadOnlySpan) int { return a.StartTime().Compare(b.StartTime()) })
	return found
}

func attributeOf(s sdktrace.ReadOnlySpan, key string) string {
	for _, a := range s.Attributes() {
		if string(a.Key) == key {
			return a.Value.String()
		}
	}
	return ""
}
