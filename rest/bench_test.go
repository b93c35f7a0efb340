package rest

import (
	"bufio"
	"io"
	"net"
	"net/http"
	"strconv"
	"testing"
	"time"

	"github.com/signal-sidecar/signal-sidecar/health"
	"github.com/signal-sidecar/signal-sidecar/history"
)

// The benchmarks send requests over one kept connection. "bare" is a net/http handler that replies with the same bytes.

func BenchmarkReport(b *testing.B)  { benchmark(b, "/signal/report") }
func BenchmarkHealth(b *testing.B)  { benchmark(b, "/signal/health") }
func BenchmarkMetrics(b *testing.B) { benchmark(b, "/metrics") }

func benchmark(b *testing.B, path string) {
	r := startServer(b, setup{})
	r.node.enter(b, "up")
	b.Run("sidecar", func(b *testing.B) { askRepeatedly(b, r.dial(b), path) })

	sample := r.ask(b, "GET", path)
	body, length, contentType := []byte(sample.body), strconv.Itoa(len(sample.body)), sample.header.Get("Content-Type")
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	bare := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		if contentType != "" {
			w.Header().Set("Content-Type", contentType)
		}
		w.Header().Set("Content-Length", length)
		_, _ = w.Write(body)
	})}
	served := make(chan struct{})
	go func() {
		defer close(served)
		_ = bare.Serve(listener)
	}()
	b.Run("bare", func(b *testing.B) {
		conn, err := net.Dial("tcp", listener.Addr().String())
		if err != nil {
			b.Fatal(err)
		}
		defer conn.Close()
		askRepeatedly(b, conn, path)
	})
	_ = bare.Close()
	<-served
}

func askRepeatedly(b *testing.B, conn net.Conn, path string) {
	b.ReportAllocs()
	request := []byte("GET " + path + " HTTP/1.1\r\nHost: node\r\n\r\n")
	reader := bufio.NewReader(conn)
	for b.Loop() {
		if _, err := conn.Write(request); err != nil {
			b.Fatal(err)
		}
		answer, err := http.ReadResponse(reader, nil)
		if err != nil {
			b.Fatal(err)
		}
		if _, err := io.Copy(io.Discard, answer.Body); err != nil || answer.StatusCode != 200 {
			b.Fatalf("%s, %v", answer.Status, err)
		}
	}
}

// BenchmarkPage renders the parts of the page after a busy hour, as for each event.
func BenchmarkPage(b *testing.B) {
	past := fixedHistory{samples: make([]history.Sample, 960), changes: make([]history.Change, 30)}
	for i := range past.samples {
		past.samples[i] = history.Sample{
			Began: time.Now().Add(-time.Duration(i) * 5 * time.Second),
			Known: true, Weight: 100 - i/100*5, Loaded: true, Participants: float64(1000 + i%40), Word: health.WordReady,
		}
		for _, probe := range health.Probes {
			*past.samples[i].Probe(probe) = history.ProbeSample{Took: float32(i%50) / 1000, Ran: true, Failed: i%100 == 0}
		}
	}
	for i := range past.changes {
		past.changes[i] = history.Change{At: health.Time(past.samples[i*20].Began), To: "up ready 100%", State: "ready",
			Reasons: []health.Code{health.ReasonDampening}}
	}
	n := newNode(true)
	n.enter(b, "up")
	p := &page{source: n, history: &past, census: true}
	b.ReportAllocs()
	for b.Loop() {
		p.last = nil
		p.render(0)
	}
	b.ReportMetric(float64(len(p.last.parts)), "bytes/page")
}
