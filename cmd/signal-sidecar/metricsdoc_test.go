package main

import (
	"cmp"
	"context"
	"errors"
	stdflag "flag"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	dto "github.com/prometheus/client_model/go"

	"github.com/signal-sidecar/signal-sidecar/config"
	"github.com/signal-sidecar/signal-sidecar/health"
	"github.com/signal-sidecar/signal-sidecar/otel"
	"github.com/signal-sidecar/signal-sidecar/signalnode"
	"github.com/signal-sidecar/signal-sidecar/telemetry"
	"github.com/signal-sidecar/signal-sidecar/testbed"
)

var update = stdflag.Bool("update", false, "write the generated documentation anew")

const (
	metricsPage = "../../docs/metrics.md"
	// maxSeries is the limit that docs/metrics.md promises.
	maxSeries = 700
)

// busySidecar runs a sidecar in this process with all features on, next to a node that fails in many ways, and requests
// every path. It returns the metrics of a scrape at the end, and the sink of the OTLP exports.
func busySidecar(t *testing.T) ([]*dto.MetricFamily, *metricsSink) {
	t.Helper()
	t.Setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:9") // port 9 is discard: nothing listens there
	sink := newMetricsSink(t)
	t.Setenv("OTEL_EXPORTER_OTLP_METRICS_ENDPOINT", sink.url+"/v1/metrics")
	node, err := signalnode.Start()
	if err != nil {
		t.Fatal(err)
	}
	defer node.Close()
	consul := httptest.NewServer(signalnode.NewConsul())
	defer consul.Close()
	defer consul.CloseClientConnections()
	c := config.Config{
		Consul: config.Consul{
			Client: config.ConsulClient{URL: consul.URL}, Status: true, StatusKey: "state",
			Reports: true, ReportKey: "report", Interval: time.Second,
		},
		HTTPAddress: "127.0.0.1:0", TCPAddress: "127.0.0.1:0", HoldAddress: "127.0.0.1:0", Hold: time.Second,
		TCPAllow: []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")},
		Metrics:  true, TraceKeep: string(telemetry.KeepAll),
		JicofoOrigin: node.Jicofo.Origin(), ProsodyOrigin: node.Prosody.Origin(),
		CensusHost: signalnode.Domain, StatusPath: filepath.Join(t.TempDir(), "status"),
		RecordPath: filepath.Join(t.TempDir(), "recording"), RecordMaxSize: 1 << 20,
		StatePath: filepath.Join(t.TempDir(), "state"),
		Interval:  10 * time.Millisecond, Timeout: 50 * time.Millisecond,
		Rules: health.Config{
			ParticipantMax: 5000, DrainGrace: time.Millisecond, DrainGraceScope: health.ScopeJicofo,
			Census: true, Instance: otel.NewInstance(),
		},
	}
	write := func(word string) {
		if err := os.WriteFile(c.StatusPath, []byte(word), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("ready")
	log := otel.NewLogQueue(io.Discard)
	defer log.Close(time.Second)
	s, err := newSidecar(t.Context(), c, newLogHandler(c, log))
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(
		log.Register(s.telemetry.MeterProvider),
		registerNotices(s.telemetry.MeterProvider, len(c.Notices)),
	); err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- s.run(ctx) }()
	defer func() {
		stop()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	}()
	await := func(what string, holds func(*health.Snapshot) bool) {
		t.Helper()
		limit := time.After(20 * time.Second)
		for snapshot := s.monitor.Current(); !holds(snapshot); snapshot = s.monitor.Current() {
			select {
			case <-snapshot.Superseded():
			case <-limit:
				t.Fatalf("not seen: %s", what)
			}
		}
		askEverything(t, "http://"+s.http.Addr().String())
	}
	state := func(want string) func(*health.Snapshot) bool {
		return func(s *health.Snapshot) bool { return s.Verdict.State() == want }
	}
	await("ready", state("ready"))
	for _, word := range []string{"drain", "maint", "ready"} {
		write(word)
		await(word, state(word))
	}
	for _, behavior := range []string{
		"code 503", "code 500", "hang", "reset", "garbage", "notjson", "redirect loop", "huge",
	} {
		node.Jicofo.Set("", signalnode.MustParseBehavior(behavior))
		node.Prosody.Set("", signalnode.MustParseBehavior(behavior))
		await("down by "+behavior, state("down"))
		node.Jicofo.Set("", signalnode.Behavior{})
		node.Prosody.Set("", signalnode.Behavior{})
		await("ready after "+behavior, state("ready"))
	}
	testbed.Eventually(t, "a report in Consul", testbed.Bound, func() bool {
		return !s.consul.publisher.Published().At.IsZero() && !s.consul.watch.Status().Changed.IsZero()
	})
	await("the census", func(s *health.Snapshot) bool { return s.Census.OK() && s.Verdict.State() == "ready" })
	families, err := s.telemetry.Gatherer.Gather()
	if err != nil {
		t.Fatal(err)
	}
	return families, sink
}

// askEverything sends a request with each method to each path.
func askEverything(t *testing.T, base string) {
	t.Helper()
	for _, method := range []string{"GET", "HEAD", "POST", "PUT", "DELETE", "PATCH", "OPTIONS", "BREW"} {
		for _, path := range []string{
			"/", "/assets/x", "/health", "/signal/health", "/about/health", "/signal/report", "/signal/explain",
			"/signal/history", "/signal/census", "/metrics", "/openapi.json", "/favicon.ico",
		} {
			req, err := http.NewRequestWithContext(t.Context(), method, base+path, nil)
			if err != nil {
				t.Fatal(err)
			}
			res, err := http.DefaultClient.Do(req)
			if err != nil {
				t.Fatal(err)
			}
			_, _ = io.Copy(io.Discard, res.Body)
			res.Body.Close()
		}
	}
}

// TestMetricsPage checks that docs/metrics.md is equal to the metrics that are really served (-update writes it), and
// that there are at most maxSeries.
func TestMetricsPage(t *testing.T) {
	families, sink := busySidecar(t)
	series := 0
	for _, f := range families {
		series += seriesOf(f)
	}
	t.Logf("%d series", series)
	if series > maxSeries {
		t.Errorf("%d series are more than the %d that docs/metrics.md promises", series, maxSeries)
		for _, f := range families {
			t.Logf("%4d %s", seriesOf(f), f.GetName())
		}
	}
	exported := sink.exported(t)
	checkExported(t, families, exported)
	page := renderMetrics(families, exported)
	if *update {
		if err := os.WriteFile(metricsPage, []byte(page), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	committed, err := os.ReadFile(metricsPage)
	if err != nil {
		t.Fatal(err)
	}
	if string(committed) != page {
		t.Errorf("%s is stale: go test ./cmd/signal-sidecar -run TestMetricsPage -update\n%s", metricsPage, page)
	}
}

// seriesOf counts the series that Prometheus stores for a family.
func seriesOf(f *dto.MetricFamily) int {
	n := 0
	for _, m := range f.GetMetric() {
		n++
		if h := m.GetHistogram(); h != nil {
			n += len(h.GetBucket()) + 2 // +Inf and the sum; n already contains the count
		}
	}
	return n
}

// renderMetrics renders the page: the scraped metrics with their names and units over OTLP.
func renderMetrics(families []*dto.MetricFamily, exported map[string]exportedMetric) string {
	var b strings.Builder
	fmt.Fprintf(&b, `# Metrics

This table lists everything that /metrics shows when every feature is on. It is generated from the instruments.
There are at most %d series.

- Histograms have classic buckets in every format: text, OpenMetrics and protobuf. In OpenMetrics and protobuf they have
  exemplars with trace ids. Prometheus stores exemplars with --enable-feature=exemplar-storage.
- process_network_* count the traffic of the whole network namespace, not of the process alone.
- Over OTLP the same metrics have the names and units in the last two columns. Labels of the semantic conventions have
  dots there instead of underscores. The project's own labels are the same.
- target_info is the resource.
- go.goroutines is go.goroutine.count in the semantic conventions. Prometheus reserves names that end in _count for
  histograms.

| metric | type | labels | meaning | over OTLP | unit |
| --- | --- | --- | --- | --- | --- |
`, maxSeries)
	slices.SortFunc(families, func(a, b *dto.MetricFamily) int { return cmp.Compare(a.GetName(), b.GetName()) })
	for _, f := range families {
		e := exported[f.GetName()]
		fmt.Fprintf(&b, "| %s | %s | %s | %s | %s | %s |\n",
			f.GetName(), strings.ToLower(f.GetType().String()), strings.Join(labelsOf(f), ", "), f.GetHelp(), e.name, e.unit)
	}
	return b.String()
}

// labelsOf returns the names of all labels of a family.
func labelsOf(f *dto.MetricFamily) []string {
	var names []string
	for _, m := range f.GetMetric() {
		for _, l := range m.GetLabel() {
			if !slices.Contains(names, l.GetName()) {
				names = append(names, l.GetName())
			}
		}
	}
	slices.Sort(names)
	return names
}
