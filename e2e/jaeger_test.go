package e2e

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"os/exec"
	"testing"
	"time"

	"github.com/signal-sidecar/signal-sidecar/testbed"
)

// jaeger is a running Jaeger.
type jaeger struct {
	otlp string // address that accepts OTLP over gRPC
	api  string // URL of the query API
}

func startJaeger(t *testing.T) *jaeger {
	t.Helper()
	query := testbed.LastingAddress(t)
	j := &jaeger{otlp: testbed.LastingAddress(t), api: "http://" + query}
	cmd := exec.Command(jaegerPath(t), "--log-level=warn", "--query.http-server.host-port="+query)
	for _, unused := range []string{
		"query.grpc-server.", "admin.http.", "collector.http-server.", "collector.grpc-server.", "http-server.",
		"processor.jaeger-binary.server-", "processor.jaeger-compact.server-", "processor.zipkin-compact.server-",
	} {
		cmd.Args = append(cmd.Args, "--"+unused+"host-port="+testbed.LastingAddress(t))
	}
	cmd.Dir = t.TempDir()
	cmd.Env = vars{
		"COLLECTOR_OTLP_ENABLED": "true", "COLLECTOR_OTLP_GRPC_HOST_PORT": j.otlp,
		"COLLECTOR_OTLP_HTTP_HOST_PORT": testbed.LastingAddress(t),
	}.Environ()
	p := testbed.Start(t, cmd)
	testbed.Eventually(t, "Jaeger to answer", bound, func() bool {
		if p.Ended() {
			t.Fatal("Jaeger ended instead of running")
		}
		code, _ := testbed.Get(j.api + "/api/services")
		return code == http.StatusOK
	})
	return j
}

// settings makes the sidecar push traces to Jaeger, which accepts no other signals.
func (j *jaeger) settings() vars {
	return vars{"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "http://" + j.otlp, "OTEL_EXPORTER_OTLP_TRACES_PROTOCOL": "grpc"}
}

// jaegerTrace is a trace in the form of the query API.
type jaegerTrace struct {
	TraceID string
	Spans   []jaegerSpan
}

type jaegerSpan struct {
	OperationName string
	StartTime     int64 // microseconds since 1970
	References    []struct{ RefType, TraceID, SpanID string }
	Tags          []struct {
		Key   string
		Value any
	}
}

func (s jaegerSpan) began() time.Time { return time.UnixMicro(s.StartTime) }

// tag returns the value of a tag as text, or "" if it is missing.
func (s jaegerSpan) tag(key string) string {
	for _, tag := range s.Tags {
		if tag.Key == key {
			return fmt.Sprint(tag.Value)
		}
	}
	return ""
}

// root returns the span without a parent. A reference to another trace is a link, not a parent.
func (t jaegerTrace) root() jaegerSpan {
	for _, s := range t.Spans {
		child := false
		for _, r := range s.References {
			child = child || r.RefType == "CHILD_OF" && r.TraceID == t.TraceID
		}
		if !child {
			return s
		}
	}
	return jaegerSpan{}
}

// traces returns the sidecar's traces with a span that has the tags.
func (j *jaeger) traces(t *testing.T, tags map[string]string) []jaegerTrace {
	t.Helper()
	query := url.Values{"service": {"signal-sidecar"}, "limit": {"100000"}}
	if len(tags) > 0 {
		text, err := json.Marshal(tags)
		testbed.Must(t, err)
		query.Set("tags", string(text))
	}
	var found struct{ Data []jaegerTrace }
	getJSON(t, j.api+"/api/traces", query, &found)
	return found.Data
}

// has reports whether Jaeger has a trace.
func (j *jaeger) has(id string) bool {
	code, _ := testbed.Get(j.api + "/api/traces/" + id)
	return code == http.StatusOK
}
