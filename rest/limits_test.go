package rest

import (
	"bufio"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"
)

// TestHugeHeaders checks that huge headers are refused, and that the server continues.
func TestHugeHeaders(t *testing.T) {
	t.Parallel()
	r := startServer(t, setup{})
	if got := r.ask(t, "GET", "/health", "X-Big: "+strings.Repeat("x", 12<<10)).code; got != 200 {
		t.Errorf("12 KiB of headers: %d", got)
	}
	conn := r.dial(t)
	if _, err := fmt.Fprintf(conn, "GET /health HTTP/1.1\r\nHost: node\r\nX-Big: %s\r\n\r\n", strings.Repeat("x",
		24<<10)); err != nil {
		t.Fatal(err)
	}
	answer, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	if answer.StatusCode != http.StatusRequestHeaderFieldsTooLarge {
		t.Errorf("24 KiB of headers: %s", answer.Status)
	}
	if got := r.ask(t, "GET", "/health").body; got != "OK" {
		t.Errorf("then /health says %q", got)
	}
}

// TestSlowHeaders checks that a client that does not finish its headers is disconnected.
func TestSlowHeaders(t *testing.T) {
	r := startServer(t, setup{change: func(s *Server) { s.http.ReadTimeout = 100 * time.Millisecond }})
	conn := r.dial(t)
	if _, err := io.WriteString(conn, "GET /health HTTP/1.1\r\nHost: node\r\nX-Slow: "); err != nil {
		t.Fatal(err)
	}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		_, _ = io.Copy(io.Discard, conn)
	}()
	pace := time.NewTicker(10 * time.Millisecond)
	defer pace.Stop()
	limit := time.After(bound / 2)
	for {
		select {
		case <-ended:
			return
		case <-limit:
			t.Error("still connected")
			conn.Close()
			<-ended
			return
		case <-pace.C:
			_, _ = io.WriteString(conn, "x")
		}
	}
}

// TestLimitsByDefault checks the limits that apply outside of tests.
func TestLimitsByDefault(t *testing.T) {
	h := startServer(t, setup{}).http
	if h.ReadTimeout != 5*time.Second || h.WriteTimeout != 30*time.Second || h.IdleTimeout != 90*time.Second ||
		h.MaxHeaderBytes != 16<<10 {
		t.Errorf("read %s, write %s, idle %s, headers %d bytes", h.ReadTimeout, h.WriteTimeout, h.IdleTimeout,
			h.MaxHeaderBytes)
	}
}

// TestPanicInGatherer checks that the scrape fails and is logged, and that everything else continues.
func TestPanicInGatherer(t *testing.T) {
	r := startServer(t, setup{gatherer: prometheus.GathererFunc(func() ([]*dto.MetricFamily,
		error) {
		panic("broken gauge")
	})})
	for range 20 { // more than may gather at once
		if got := r.ask(t, "GET", "/metrics").code; got != 500 {
			t.Errorf("/metrics answers %d", got)
		}
	}
	if got := r.ask(t, "GET", "/health").body; got != "OK" {
		t.Errorf("/health says %q", got)
	}
	if log := r.log.String(); !strings.Contains(log,
		`level=ERROR msg=panic part=handler name=/metrics panic="broken gauge"`) {
		t.Errorf("the log says %s", log)
	}
}

// brokenCollector panics when it is collected, on a goroutine of the registry.
type brokenCollector struct{}

func (brokenCollector) Describe(chan<- *prometheus.Desc) {}
func (brokenCollector) Collect(chan<- prometheus.Metric) { panic("broken collector") }

// TestBrokenCollector checks that a collector that fails or panics does not hide the metrics of the others.
func TestBrokenCollector(t *testing.T) {
	registry := prometheus.NewRegistry()
	well := prometheus.NewGauge(prometheus.GaugeOpts{Name: "well", Help: "Is shown."})
	registry.MustRegister(well, brokenCollector{})
	r := startServer(t, setup{gatherer: registry})
	if got := r.ask(t, "GET", "/metrics"); got.code != 200 || !strings.Contains(got.body, "well 0") {
		t.Errorf("/metrics answers %d %s", got.code, got.body)
	}
	if log := r.log.String(); !strings.Contains(log, "broken collector") {
		t.Errorf("the log says %s", log)
	}
	failing := prometheus.GathererFunc(func() ([]*dto.MetricFamily, error) { return nil, errors.New("nothing at all") })
	r = startServer(t, setup{gatherer: failing})
	if got := r.ask(t, "GET", "/metrics").code; got != 500 {
		t.Errorf("with nothing gathered /metrics answers %d", got)
	}
}

func TestConnectionsByOpenFiles(t *testing.T) {
	for files, want := range map[uint64]int{0: 1024, 1: 1, 100: 50, 1500: 750, 8192: 1024, 1 << 62: 1024} {
		if n := (Options{OpenFiles: files, Listeners: make([]net.Listener, 1)}).connections(); n != want {
			t.Errorf("of %d files: %d connections, want %d", files, n, want)
		}
		if n := (Options{OpenFiles: files, Listeners: make([]net.Listener, 2)}).connections(); n != max(1, want/2) {
			t.Errorf("of %d files with two listeners: %d connections each, want %d", files, n, max(1, want/2))
		}
	}
	encrypted := Options{OpenFiles: 8192, Listeners: make([]net.Listener, 2), Access: encryptedAccess{}}
	if n := encrypted.connections(); n != maxEncrypted/2 {
		t.Errorf("with TLS: %d connections each, want %d", n, maxEncrypted/2)
	}
}

type encryptedAccess struct{ Access }

func (encryptedAccess) TLS() *tls.Config { return new(tls.Config) }
