package telemetry

import (
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"

	"go.opentelemetry.io/otel/trace"
	collectortrace "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	"google.golang.org/protobuf/proto"

	"github.com/signal-sidecar/signal-sidecar/health"
	"github.com/signal-sidecar/signal-sidecar/otel"
)

// traceBackend is an OTLP backend that counts spans by their incident, "" for none.
type traceBackend struct {
	url string

	mu    sync.Mutex
	spans map[string]int
}

func newTraceBackend(t *testing.T) *traceBackend {
	t.Helper()
	b := &traceBackend{spans: map[string]int{}}
	server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		request := new(collectortrace.ExportTraceServiceRequest)
		if err == nil {
			err = proto.Unmarshal(body, request)
		}
		if err != nil {
			t.Error(err)
		}
		b.count(request)
	}))
	t.Cleanup(server.Close)
	b.url = server.URL
	return b
}

func (b *traceBackend) count(request *collectortrace.ExportTraceServiceRequest) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, resource := range request.GetResourceSpans() {
		for _, scope := range resource.GetScopeSpans() {
			for _, span := range scope.GetSpans() {
				incident := ""
				for _, a := range span.GetAttributes() {
					if a.GetKey() == string(incidentKey) {
						incident = a.GetValue().GetStringValue()
					}
				}
				b.spans[incident]++
			}
		}
	}
}

// TestIncidentIsExportedWhole checks that the queue has room for all spans that a change of the verdict releases at
// once, even if its configured size is small.
func TestIncidentIsExportedWhole(t *testing.T) {
	backend := newTraceBackend(t)
	t.Setenv("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", backend.url)
	t.Setenv("OTEL_BSP_MAX_QUEUE_SIZE", "1")
	t.Setenv("OTEL_BSP_SCHEDULE_DELAY", "3600000")
	s, err := New(t.Context(), Options{Keep: KeepIncidents, Options: otel.Options{Log: slog.DiscardHandler}})
	if err != nil {
		t.Fatal(err)
	}
	tracer := s.TracerProvider.Tracer("test")
	// the highest possible numbers by default
	spansOf := map[string]int{"jicofo": 9, "prosody": 5, "census": 5, "status_file": 2}
	poll := func(collector string) {
		ctx, root := tracer.Start(t.Context(), "poll", trace.WithAttributes(collectorKey.String(collector)))
		for range spansOf[collector] - 1 {
			_, span := tracer.Start(ctx, "probe")
			span.End()
		}
		root.End()
	}
	const quiet = keptPolls - 1 // none of them is exported at once
	want := 1                   // the span of the verdict's change
	for collector, n := range spansOf {
		want += quiet * n
		for range quiet {
			poll(collector)
		}
	}
	s.record(t.Context(), health.Change{To: health.Verdict{Known: true, Incident: "i"}})
	if err := s.Shutdown(t.Context()); err != nil {
		t.Fatal(err)
	}
	if backend.spans["i"] != want || len(backend.spans) != 1 {
		t.Errorf("exported %v, want %d spans with incident i", backend.spans, want)
	}
}

// TestLogLinesNameTheIncident checks the log lines of all components from the change that begins the incident to the
// end of the poll that ends it.
func TestLogLinesNameTheIncident(t *testing.T) {
	s, ctx := newStage(t, rules), t.Context()
	steps := []func(){
		func() { s.upReady(ctx) },
		func() { s.observe(ctx, jicofo(503, 0, 0)) },
		func() { s.observe(ctx, prosody(500)) },
	}
	for _, step := range steps {
		step()
		s.Logger.With("component", "rest").Info("another line")
	}
	poll, span := s.TracerProvider.Tracer("test").Start(ctx, "poll")
	s.record(poll, health.Change{From: s.Current().Verdict, To: health.Verdict{Known: true, Healthy: true}})
	s.Logger.InfoContext(poll, "a later line of the poll that ended the incident")
	span.End()
	s.Logger.Info("another line")
	var got []string
	for _, line := range s.log.Lines() {
		_, incident, _ := strings.Cut(line, `"incident.id":"`)
		incident, _, _ = strings.Cut(incident, `"`)
		got = append(got, incident)
	}
	const id = "20260102T030405.678Z-"
	if want := []string{"", "", id, id, id, id, id, id, ""}; !slices.Equal(got, want) {
		t.Errorf("incidents %q, want %q; the log is\n%s", got, want, s.log)
	}
}
