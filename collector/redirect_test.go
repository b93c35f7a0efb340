package collector

import (
	"crypto/x509"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/signal-sidecar/signal-sidecar/health"
)

// TestCheckRedirect checks that redirects within the host are followed: to the same port, or to https.
func TestCheckRedirect(t *testing.T) {
	for _, tt := range []struct {
		from, to string
		follow   bool
	}{
		{"http://localhost:8888/stats", "http://localhost:8888/other", true},
		{"http://localhost:8888/stats", "http://LOCALHOST:8888/other", true},
		{"http://localhost:8888/stats", "https://localhost:8888/stats", true},
		{"http://localhost:8888/stats", "https://localhost/stats", true},
		{"http://localhost/stats", "http://localhost:80/stats", true},
		{"https://localhost/stats", "https://localhost:443/stats", true},
		{"https://localhost/stats", "https://localhost:8443/stats", true},
		{"http://[::1]:8888/stats", "http://[::1]:8888/other", true},
		{"http://localhost:8888/stats", "http://localhost:8889/stats", false},
		{"http://localhost:8888/stats", "http://localhost/stats", false},
		{"https://localhost/stats", "http://localhost/stats", false},
		{"http://localhost:8888/stats", "http://127.0.0.1:8888/stats", false},
		{"http://localhost:8888/stats", "http://localhost.example:8888/stats", false},
		{"http://localhost:8888/stats", "http://user@elsewhere.example@localhost.example:8888/stats", false},
		{"http://localhost:8888/stats", "https://elsewhere.example/stats", false},
		{"http://localhost:8888/stats", "ftp://localhost:8888/stats", false},
		{"http://localhost:8888/stats", "http://169.254.169.254/latest/meta-data", false},
	} {
		from, to := mustParse(t, tt.from), mustParse(t, tt.to)
		err := checkRedirect(&http.Request{URL: to}, []*http.Request{{URL: from}})
		if (err == nil) != tt.follow || err != nil && classify(err) != health.FailureRedirected {
			t.Errorf("from %s to %s: %v", tt.from, tt.to, err)
		}
	}
}

func mustParse(t *testing.T, text string) *url.URL {
	t.Helper()
	u, err := url.Parse(text)
	if err != nil {
		t.Fatal(err)
	}
	return u
}

// TestRedirectElsewhere checks that another host is not probed, and that no observation contains its reply. The probe
// fails with its own reason, on one line, and is not retried.
func TestRedirectElsewhere(t *testing.T) {
	var foreign, asked atomic.Int64
	elsewhere := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		foreign.Add(1)
		_, _ = w.Write([]byte(`{"participants":1,"conferences":1,"room_census":[]}`))
	}))
	defer elsewhere.Close()
	target := strings.Replace(elsewhere.URL, "127.0.0.1", "localhost", 1)
	for _, location := range []string{
		elsewhere.URL + "/a", // another port
		target + "/a", "//elsewhere.example/a", "http://user:secret@" + strings.TrimPrefix(target, "http://") + "/secret",
		"http://" + strings.Repeat("x", 5000) + ".example/", "http://a\u202eb\u0085c.example/",
	} {
		service := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			asked.Add(1)
			w.Header().Set("Location", location)
			w.WriteHeader(http.StatusFound)
		}))
		for name, c := range httpCollectors {
			asked.Store(0)
			r := newRig(t)
			stop := r.run(c.open(service.URL, r.options))
			o := r.next().Observation
			stop()
			answer := firstAnswer(o)
			if answer.Failure != health.FailureRedirected || answer.Code != 0 || !strings.Contains(answer.Detail, `"http://`) {
				t.Errorf("%s, redirected to %.100s: %+v", name, location, answer)
			}
			shown := fmt.Sprintf("%+v %s", o, r.log)
			if strings.Contains(answer.Detail, "\n") || len(answer.Detail) > maxDetail || strings.Contains(shown, "secret") ||
				strings.Contains(shown, "conferences") {
				t.Errorf("%s, redirected to %.100s: %s", name, location, show(o))
			}
			if n := asked.Load(); n != 1 && name != "jicofo" || n > 2 {
				t.Errorf("%s, redirected to %.100s, was asked %d times", name, location, n)
			}
			if n := r.measured("signal.probe.results")["outcome=redirected_elsewhere,probe="+probeNames[name]]; n != 1 {
				t.Errorf("%s: results %v", name, r.measured("signal.probe.results"))
			}
		}
		service.Close()
	}
	if n := foreign.Load(); n > 0 {
		t.Errorf("another host was asked %d times", n)
	}
}

// probeNames names a probe of each collector.
var probeNames = map[string]string{"jicofo": "jicofo_health", "prosody": "prosody", "census": "census"}

// firstAnswer returns the result of that probe.
func firstAnswer(o health.Observation) health.Answer {
	switch {
	case o.Jicofo != nil:
		return o.Jicofo.Health
	case o.Prosody != nil:
		return o.Prosody.Health
	default:
		return o.Census.Answer
	}
}

// TestRedirectToHTTPS checks that a redirect to https on the same host is followed.
func TestRedirectToHTTPS(t *testing.T) {
	secure := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(204)
	}))
	secure.Config.ErrorLog = silent
	secure.StartTLS()
	defer secure.Close()
	plain := httptest.NewServer(http.RedirectHandler(secure.URL, http.StatusMovedPermanently))
	defer plain.Close()
	r := newRig(t)
	r.options.RootCAs = authorityOf(secure)
	p := probeOf(t, r, plain.URL)
	defer p.connections.close()
	if a, _, _ := p.run(t.Context(), anyBody); a.Code != 204 {
		t.Errorf("answer = %+v", a)
	}
}

// authorityOf returns the authority of a server's certificate.
func authorityOf(s *httptest.Server) *x509.CertPool {
	pool := x509.NewCertPool()
	pool.AddCert(s.Certificate())
	return pool
}

// TestRootCAs checks that every collector trusts the authorities of its options. TestProbeTLS has the opposite.
func TestRootCAs(t *testing.T) {
	secure := httptest.NewTLSServer(http.NotFoundHandler())
	defer secure.Close()
	for name, c := range httpCollectors {
		r := newRig(t)
		r.options.RootCAs = authorityOf(secure)
		r.run(c.open(secure.URL, r.options))
		if got := firstAnswer(r.next().Observation); got.Code != 404 {
			t.Errorf("%s: answer = %+v", name, got)
		}
	}
}

// TestUserAgent checks that each request has the User-Agent of the sidecar, also after redirects.
func TestUserAgent(t *testing.T) {
	for name, c := range httpCollectors {
		agents := make(chan string, 10)
		s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			agents <- r.UserAgent()
			if r.URL.Path != "/moved" {
				http.Redirect(w, r, "/moved", http.StatusFound)
			}
		}))
		r := newRig(t)
		r.options.UserAgent = "signal-sidecar/1.2.3"
		stop := r.run(c.open(s.URL, r.options))
		r.next()
		stop()
		s.Close()
		close(agents)
		n := 0
		for agent := range agents {
			if n++; agent != "signal-sidecar/1.2.3" {
				t.Errorf("%s: User-Agent %q", name, agent)
			}
		}
		if n < 2 {
			t.Errorf("%s: %d requests", name, n)
		}
	}
}
