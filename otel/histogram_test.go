package otel

import (
	"io"
	"strings"
	"testing"

	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"
	"go.opentelemetry.io/otel/metric"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"

	"github.com/signal-sidecar/signal-sidecar/testbed/metrics"
)

// TestHistogramsAreClassic checks that histograms have classic buckets in every format, because rules and panels use
// them. In OpenMetrics and protobuf, which have exemplars, a bucket names the trace of a value.
func TestHistogramsAreClassic(t *testing.T) {
	p := newProviders(t, io.Discard)
	histogram, err := p.MeterProvider.Meter("test").Float64Histogram("test.duration", metric.WithUnit("s"),
		metric.WithDescription("Test."), metric.WithExplicitBucketBoundaries(1, 3))
	if err != nil {
		t.Fatal(err)
	}
	ctx, span := sdktrace.NewTracerProvider().Tracer("test").Start(t.Context(), "test")
	histogram.Record(ctx, 2)
	span.End()
	trace := span.SpanContext().TraceID().String()

	text := metrics.Scrape(t, p.Gatherer, "text/plain")
	for _, want := range []string{
		`test_duration_seconds_bucket{le="1"} 0`,
		`test_duration_seconds_bucket{le="3"} 1`,
		`test_duration_seconds_bucket{le="+Inf"} 1`,
	} {
		if !strings.Contains(text, want+"\n") {
			t.Errorf("the text lacks %s", want)
		}
	}
	open := metrics.Scrape(t, p.Gatherer, "application/openmetrics-text; version=1.0.0")
	if !strings.Contains(open, `test_duration_seconds_bucket{le="3.0"} 1 # {`) ||
		!strings.Contains(open, `trace_id="`+trace+`"`) {
		t.Errorf("OpenMetrics lacks the bucket with the exemplar of trace %s:\n%s", trace, open)
	}

	format := expfmt.NewFormat(expfmt.TypeProtoDelim)
	decoder := expfmt.NewDecoder(strings.NewReader(metrics.Scrape(t, p.Gatherer, string(format))), format)
	family := new(dto.MetricFamily)
	for family.GetName() != "test_duration_seconds" {
		family.Reset()
		if err := decoder.Decode(family); err != nil {
			t.Fatalf("no test_duration_seconds in protobuf: %v", err)
		}
	}
	h := family.GetMetric()[0].GetHistogram()
	if h.Schema != nil || len(h.GetPositiveSpan()) != 0 {
		t.Errorf("the histogram is a native one: %v", h)
	}
	var counts []uint64
	var exemplar string
	for _, bucket := range h.GetBucket() {
		counts = append(counts, bucket.GetCumulativeCount())
		for _, label := range bucket.GetExemplar().GetLabel() {
			if label.GetName() == "trace_id" {
				exemplar = label.GetValue()
			}
		}
	}
	if len(counts) < 2 || counts[0] != 0 || counts[1] != 1 || h.GetSampleCount() != 1 || exemplar != trace {
		t.Errorf("buckets %v, count %d, exemplar of trace %q, want one of %s", counts, h.GetSampleCount(), exemplar, trace)
	}
}
