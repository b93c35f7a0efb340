package consul

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/signal-sidecar/signal-sidecar/health"
	"github.com/signal-sidecar/signal-sidecar/testbed"
)

const reportKey = "signal-report/prod/shard-1"

// reporter is a Publisher and the monitor whose verdict it publishes.
type reporter struct {
	*rig
	*Publisher
	monitor *health.Monitor
}

// newReporter returns a Publisher with a long interval and a short spacing. Its monitor has no verdict yet.
func (r *rig) newReporter(customize ...func(*PublisherOptions)) *reporter {
	r.t.Helper()
	p := &reporter{rig: r}
	o := PublisherOptions{
		Client: newClient(r.t, ClientOptions{URL: r.url, TracerProvider: r.tracerProvider}), Key: reportKey,
		Interval: time.Hour, Source: p,
		TracerProvider: r.tracerProvider, MeterProvider: r.meterProvider, Logger: r.logger,
	}
	for _, c := range customize {
		c(&o)
	}
	var err error
	p.Publisher, err = NewPublisher(o)
	testbed.Must(r.t, err)
	p.spacing = time.Millisecond
	p.monitor = health.NewMonitor(health.Config{ParticipantMax: 5000, Census: true}, p.Listen)
	return p
}

func (p *reporter) Current() *health.Snapshot { return p.monitor.Current() }

// observe makes the monitor observe a healthy node with a word in the status file, and rooms in the census.
func (p *reporter) observe(word health.Word, rooms string) {
	ok := health.Answer{Code: http.StatusOK}
	for _, o := range []health.Observation{
		{Census: &health.Census{Answer: ok, Rooms: json.RawMessage(rooms), Participants: 4, SumSquared: 16}},
		{Jicofo: &health.Jicofo{Health: ok, Stats: ok, Participants: 7, Conferences: 2}},
		{Prosody: &health.Prosody{Health: ok}},
		{StatusFile: &health.StatusFile{Found: true, Contents: string(word)}},
	} {
		o.At = time.Now()
		p.monitor.Observe(context.Background(), o)
	}
}

// report returns the report in Consul, nil for none.
func (p *reporter) report() map[string]any {
	value, ok := p.kv.Get(reportKey)
	if !ok {
		return nil
	}
	var report map[string]any
	testbed.Must(p.t, json.Unmarshal([]byte(value), &report))
	return report
}

func (p *reporter) expectStatus(word health.Word) {
	p.t.Helper()
	testbed.Eventually(p.t, "a report with "+string(word), bound, func() bool { return p.report()["status"] == string(word) })
}

// TestReport puts the report after the first verdict and at each change. It is the one of /signal/report, with the
// rooms.
func TestReport(t *testing.T) {
	t.Parallel()
	p := newRig(t).newReporter(func(o *PublisherOptions) { o.Census = true })
	p.run(p.Run)
	const rooms = `[{"room_name":"room@conference.example.com","participants":4}]`
	p.observe(health.WordReady, rooms)
	p.expectStatus(health.WordReady)
	value, _ := p.kv.Get(reportKey)
	report, err := json.Marshal(p.Current().Report())
	testbed.Must(t, err)
	if want := strings.TrimSuffix(string(report), "}") + `,"census":` + rooms + "}"; value != want {
		t.Errorf("report\n%s\nwant\n%s", value, want)
	}
	for _, word := range []health.Word{health.WordDrain, health.WordMaint, health.WordReady} {
		p.observe(word, rooms)
		p.expectStatus(word)
	}
	testbed.Eventually(t, "success", bound, func() bool {
		return p.metric("signal.consul.success", "operation=report") == 1
	})
	if at := p.metric("signal.consul.report.timestamp"); time.Since(time.UnixMilli(int64(at*1000))).Abs() > bound {
		t.Errorf("put at %f", at)
	}
	testbed.Eventually(t, "4 spans of each request", bound, func() bool {
		names := map[string]int{}
		for _, span := range p.spans.Ended() {
			names[span.Name()]++
		}
		return names["consul report"] == 4 && names["HTTP GET"] == 4 && names["HTTP PUT"] == 4
	})
}

// TestReportWithoutRooms checks the census of a report without CENSUS_REPORTS and of one that is too large.
func TestReportWithoutRooms(t *testing.T) {
	t.Parallel()
	large := `[{"room_name":"` + strings.Repeat("x", maxValue) + `"}]`
	for _, census := range []bool{false, true} {
		p := newRig(t).newReporter(func(o *PublisherOptions) { o.Census = census })
		p.run(p.Run)
		for _, word := range []health.Word{health.WordReady, health.WordDrain} {
			p.observe(word, large)
			p.expectStatus(word)
		}
		report := p.report()
		_, omitted := report["censusOmitted"]
		if rooms, ok := report["census"].([]any); !ok || len(rooms) > 0 || omitted != census {
			t.Errorf("census %t: census %v, omitted %v", census, report["census"], report["censusOmitted"])
		}
		if n := p.logged("report is too large"); n != 1 == census {
			t.Errorf("census %t: %d log lines", census, n)
		}
	}
}

// TestReportIsRefusedAsTooLarge checks that a report is put without its rooms at once if Consul or a proxy has a lower
// limit, that later ones of this size are put without them, and that smaller ones have them.
func TestReportIsRefusedAsTooLarge(t *testing.T) {
	t.Parallel()
	const limit = 64 << 10
	large := `[{"room_name":"` + strings.Repeat("x", limit) + `"}]`
	for name, refusal := range map[string]http.HandlerFunc{
		"Consul": reply(413, "Request body too large, max size: 65536 bytes."),
		"proxy":  reply(413, "<html><title>413 Request Entity Too Large</title></html>", "Content-Type", "text/html"),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := newRig(t).newReporter(func(o *PublisherOptions) { o.Census = true })
			var refused atomic.Int64
			p.refuse = func(q *http.Request) http.HandlerFunc {
				if q.ContentLength <= limit {
					return nil
				}
				refused.Add(1)
				return refusal
			}
			p.run(p.Run)
			for _, c := range []struct {
				word    health.Word
				rooms   string
				omitted any
			}{
				{health.WordReady, large, true}, {health.WordDrain, large, true}, {health.WordReady, `[{"room_name":"y"}]`, nil},
			} {
				p.observe(c.word, c.rooms)
				p.expectStatus(c.word)
				if got := p.report()["censusOmitted"]; got != c.omitted {
					t.Errorf("%s with %d bytes of rooms: censusOmitted %v", c.word, len(c.rooms), got)
				}
			}
			if n := refused.Load(); n != 1 || p.logged("report is too large") != 1 || p.logged("level=WARN") != 1 {
				t.Errorf("%d refused, log:\n%s", n, p.log)
			}
		})
	}
}

// TestChangesDoNotShortenTheBackOff changes the verdict many times while Consul asks to wait.
func TestChangesDoNotShortenTheBackOff(t *testing.T) {
	t.Parallel()
	p := newRig(t).newReporter()
	p.fail(reply(429, "", "Retry-After", "3600"))
	p.run(p.Run)
	p.observe(health.WordReady, "[]")
	testbed.Eventually(t, "a failure", bound, func() bool { return p.Published().Kind == KindOverloaded })
	began, changes := time.Now(), 0
	testbed.Eventually(t, "many changes", bound, func() bool {
		changes++
		p.observe(words[changes%2], "[]")
		return changes >= 10 && time.Since(began) > 100*p.spacing
	})
	if n := p.gets.Load(); n != 1 {
		t.Errorf("%d requests for %d changes in the back-off", n, changes)
	}
}

// TestReportInterval puts the report again without a change.
func TestReportInterval(t *testing.T) {
	t.Parallel()
	p := newRig(t).newReporter(func(o *PublisherOptions) { o.Interval = 20 * time.Millisecond })
	p.observe(health.WordReady, "[]")
	p.run(p.Run)
	for range 3 {
		p.expectStatus(health.WordReady)
		p.kv.Put(reportKey, "{}")
	}
}

// TestReportsAreCoalesced changes the verdict many times while a put is in flight. There is never more than one, and
// the latest report wins.
func TestReportsAreCoalesced(t *testing.T) {
	t.Parallel()
	p := newRig(t).newReporter()
	var inFlight, most, puts atomic.Int64
	release := make(chan struct{})
	var mu sync.Mutex
	latest := ""
	p.fail(func(w http.ResponseWriter, q *http.Request) {
		if q.Method == http.MethodGet {
			reply(200, `[{"Value":"e30=","ModifyIndex":1}]`, "X-Consul-Index", "1")(w, q)
			return
		}
		most.Store(max(most.Load(), inFlight.Add(1)))
		defer inFlight.Add(-1)
		var report struct{ Status string }
		_ = json.NewDecoder(q.Body).Decode(&report)
		mu.Lock()
		latest = report.Status
		mu.Unlock()
		puts.Add(1)
		select {
		case <-release:
		case <-q.Context().Done():
		}
		reply(200, "true")(w, q)
	})
	p.run(p.Run)
	p.observe(health.WordReady, "[]")
	testbed.Eventually(t, "a put", bound, func() bool { return inFlight.Load() == 1 })
	for i := range 101 {
		p.observe(words[i%2], "[]")
	}
	p.observe(health.WordMaint, "[]")
	close(release)
	testbed.Eventually(t, "the latest report", bound, func() bool {
		mu.Lock()
		defer mu.Unlock()
		return latest == string(health.WordMaint)
	})
	if puts.Load() != 2 || most.Load() != 1 {
		t.Errorf("%d puts for 103 changes, %d at once", puts.Load(), most.Load())
	}
}

// TestReportFaults makes puts fail, and then lets them work again.
func TestReportFaults(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		handler http.HandlerFunc
		kind    Kind
	}{
		"denied": {reply(403, "Permission denied"), KindDenied},
		"page":   {reply(200, "<html>"), KindInvalidAnswer},
		"conflict": {func(w http.ResponseWriter, q *http.Request) {
			if q.Method == http.MethodGet {
				reply(404, "", "X-Consul-Index", "1")(w, q)
				return
			}
			reply(200, "false")(w, q)
		}, KindConflict},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := newRig(t).newReporter()
			p.fail(c.handler)
			p.run(p.Run)
			p.observe(health.WordReady, "[]")
			testbed.Eventually(t, "two failures", bound, func() bool {
				return p.metric("signal.consul.failures", "operation=report", "kind="+string(c.kind)) >= 2
			})
			if s := p.Published(); s.Kind != c.kind || s.Error == "" || !s.At.IsZero() {
				t.Errorf("state %+v", s)
			}
			p.fail(nil)
			p.expectStatus(health.WordReady)
			testbed.Eventually(t, "the log", bound, func() bool { return p.logged("consul works again") == 1 })
			if p.logged("consul began to fail", "kind="+string(c.kind)) != 1 || p.logged("level=WARN") != 1 {
				t.Errorf("log:\n%s", p.log)
			}
		})
	}
}

// TestDeletedReport deletes the report while it is published. It is put again after an interval, while the status key
// exists.
func TestDeletedReport(t *testing.T) {
	t.Parallel()
	var found atomic.Bool
	p := newRig(t).newReporter(func(o *PublisherOptions) {
		o.Interval, o.StatusFound = 300*time.Millisecond, found.Load
	})
	p.run(p.Run)
	p.observe(health.WordReady, "[]")
	p.expectStatus(health.WordReady)
	p.kv.Delete(reportKey)
	testbed.Eventually(t, "the deletion to be noticed", bound, func() bool { return p.logged("report was deleted") == 1 })
	noticed := time.Now()
	asked := p.gets.Load()
	for i := range 6 { // also changes of the verdict do not bring it back, and neither does time without the status key
		p.observe(words[i%2], "[]")
		testbed.Eventually(t, "another check", bound, func() bool { return p.gets.Load() > asked+int64(i) })
	}
	testbed.Eventually(t, "an interval", bound, func() bool { return time.Since(noticed) > p.Interval })
	if keys := p.kv.Keys(""); len(keys) != 0 {
		t.Errorf("the keys are %q", keys)
	}
	found.Store(true)
	p.expectStatus(words[1])

	p.kv.Delete(reportKey)
	testbed.Eventually(t, "the deletion to be noticed", bound, func() bool { return p.logged("report was deleted") == 2 })
	noticed = time.Now()
	p.expectStatus(words[1])
	if after := time.Since(noticed); after < p.Interval-50*time.Millisecond {
		t.Errorf("put again after %s", after)
	}
}

func TestKindsOfErrors(t *testing.T) {
	t.Parallel()
	for err, want := range map[error]Kind{
		fmt.Errorf("x: %w", errToken):                       KindToken,
		fmt.Errorf("x: %w", &StatusError{Code: 401}):        KindDenied,
		fmt.Errorf("x: %w", &StatusError{Code: 307}):        KindInvalidAnswer,
		fmt.Errorf("x: %w", &StatusError{Code: 413}):        KindServerError,
		fmt.Errorf("x: %w", ErrTooLarge):                    KindInvalidAnswer,
		fmt.Errorf("x: %w", context.DeadlineExceeded):       KindInvalidAnswer,
		&json.SyntaxError{}:                                 KindInvalidAnswer,
		fmt.Errorf("%w: %s", errHang, 10*time.Second):       KindTimeout,
		fmt.Errorf("Get: %w", fmt.Errorf("x: %w", errHang)): KindTimeout,
	} {
		if got := kindOf(err); got != want {
			t.Errorf("%v: %s, want %s", err, got, want)
		}
	}
}
