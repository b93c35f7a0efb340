package rest

import (
	"net/http"
	"testing"
	"time"

	"github.com/gin-gonic/gin"
	"go.opentelemetry.io/otel/metric"
	"go.opentelemetry.io/otel/metric/noop"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
)

// silent is a response writer whose header is the caller's.
type silent struct{ header http.Header }

func (s silent) Header() http.Header       { return s.header }
func (silent) Write(b []byte) (int, error) { return len(b), nil }
func (silent) WriteHeader(int)             {}

// TestAnswersAllocateNothing: beside net/http, a request for the health or the report costs no allocation. The chain is called
// without the engine, whose pool is not kept under the race detector.
func TestAnswersAllocateNothing(t *testing.T) {
	gin.SetMode(gin.ReleaseMode)
	n := newNode(false)
	n.enter(t, "up")
	for name, provider := range map[string]metric.MeterProvider{
		"no metrics": noop.NewMeterProvider(),
		"metrics":    sdkmetric.NewMeterProvider(sdkmetric.WithReader(sdkmetric.NewManualReader())),
	} {
		in, err := newInstruments(provider)
		if err != nil {
			t.Fatal(err)
		}
		h := &handlers{source: n, in: in}
		for route, handler := range map[string]gin.HandlerFunc{"/signal/health": h.nodeHealth, "/signal/report": h.report} {
			w := silent{http.Header{}}
			c, _ := gin.CreateTestContext(w)
			c.Request, _ = http.NewRequestWithContext(t.Context(), http.MethodGet, route, http.NoBody)
			if allocations := testing.AllocsPerRun(1000, func() {
				clear(w.header)
				handler(c)
				in.record(c, time.Millisecond)
			}); allocations != 0 {
				t.Errorf("%s, %s: %v allocations", route, name, allocations)
			}
		}
	}
}
