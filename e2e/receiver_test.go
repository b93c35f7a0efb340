package e2e

import (
	"context"
	"strings"
	"sync"
	"testing"

	"go.opentelemetry.io/collector/client"
	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/component/componenttest"
	"go.opentelemetry.io/collector/confmap"
	"go.opentelemetry.io/collector/consumer/consumertest"
	"go.opentelemetry.io/collector/receiver/otlpreceiver"
	"go.opentelemetry.io/collector/receiver/receivertest"

	"github.com/signal-sidecar/signal-sidecar/testbed"
)

// receiver is the Collector's OTLP receiver, with what it received.
type receiver struct {
	address string
	traces  consumertest.TracesSink
	metrics consumertest.MetricsSink
	logs    consumertest.LogsSink
	stop    func()
}

// startReceiver opens a receiver at an address, until the end of the test at the latest. The protocol is grpc or
// http/protobuf.
func startReceiver(t *testing.T, protocol, address string) *receiver {
	t.Helper()
	r := &receiver{address: address}
	transport, _, _ := strings.Cut(protocol, "/")
	factory := otlpreceiver.NewFactory()
	config := factory.CreateDefaultConfig()
	testbed.Must(t, confmap.NewFromStringMap(map[string]any{"protocols": map[string]any{
		transport: map[string]any{"endpoint": address, "include_metadata": true},
	}}).Unmarshal(config))
	settings := receivertest.NewNopSettings(factory.Type())

	// The three signals share one server.
	traces, err := factory.CreateTraces(t.Context(), settings, config, &r.traces)
	testbed.Must(t, err)
	metrics, err := factory.CreateMetrics(t.Context(), settings, config, &r.metrics)
	testbed.Must(t, err)
	logs, err := factory.CreateLogs(t.Context(), settings, config, &r.logs)
	testbed.Must(t, err)
	all := []component.Component{traces, metrics, logs}
	for _, c := range all {
		testbed.Must(t, c.Start(context.WithoutCancel(t.Context()), componenttest.NewNopHost()))
	}
	r.stop = sync.OnceFunc(func() {
		for _, c := range all {
			_ = c.Shutdown(context.Background())
		}
	})
	t.Cleanup(r.stop)
	return r
}

// header returns a header that came with the latest spans.
func (r *receiver) header(name string) string {
	contexts := r.traces.Contexts()
	if len(contexts) == 0 {
		return ""
	}
	return strings.Join(client.FromContext(contexts[len(contexts)-1]).Metadata.Get(name), ",")
}

// span holds the fields of a span that tests check.
type span struct {
	name                 string
	trace, id, parent    string
	attributes, resource map[string]any
}

// spans returns all received spans, oldest first.
func (r *receiver) spans() (all []span) {
	for _, batch := range r.traces.AllTraces() {
		for _, of := range batch.ResourceSpans().All() {
			resource := of.Resource().Attributes().AsRaw()
			for _, scope := range of.ScopeSpans().All() {
				for _, s := range scope.Spans().All() {
					all = append(all, span{
						s.Name(), s.TraceID().String(), s.SpanID().String(), s.ParentSpanID().String(),
						s.Attributes().AsRaw(), resource,
					})
				}
			}
		}
	}
	return all
}

// metricNames returns the names of all received metrics, and the resource of the latest ones.
func (r *receiver) metricNames() (names map[string]bool, resource map[string]any) {
	names = map[string]bool{}
	for _, batch := range r.metrics.AllMetrics() {
		for _, of := range batch.ResourceMetrics().All() {
			resource = of.Resource().Attributes().AsRaw()
			for _, scope := range of.ScopeMetrics().All() {
				for _, m := range scope.Metrics().All() {
					names[m.Name()] = true
				}
			}
		}
	}
	return names, resource
}

// record is a log record as it was received.
type record struct {
	message              string
	trace                string
	attributes, resource map[string]any
}

// records returns all received log records, oldest first.
func (r *receiver) records() (all []record) {
	for _, batch := range r.logs.AllLogs() {
		for _, of := range batch.ResourceLogs().All() {
			resource := of.Resource().Attributes().AsRaw()
			for _, scope := range of.ScopeLogs().All() {
				for _, l := range scope.LogRecords().All() {
					all = append(all, record{l.Body().AsString(), l.TraceID().String(), l.Attributes().AsRaw(), resource})
				}
			}
		}
	}
	return all
}
