package rest

import (
	"bufio"
	"crypto/tls"
	"encoding/base64"
	"fmt"
	"log/slog"
	"net/http"
	"slices"
	"testing"

	"golang.org/x/crypto/bcrypt"

	"github.com/signal-sidecar/signal-sidecar/testbed"
	"github.com/signal-sidecar/signal-sidecar/webconfig"
)

// askAs sends a request with a Host header and returns the reply. Its body is not read, nor closed, because that would
// read an event stream to its end; the end of the test closes the connection.
func (r *runningServer) askAs(t *testing.T, host, method, target string) *http.Response {
	t.Helper()
	conn := r.dial(t)
	if _, err := fmt.Fprintf(conn, "%s %s HTTP/1.1\r\nHost: %s\r\nConnection: close\r\n\r\n", method, target, host); err != nil {
		t.Fatal(err)
	}
	answer, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		t.Fatalf("%s %s for %q: %v", method, target, host, err)
	}
	return answer
}

// TestHosts checks which Host headers are served, on each route.
func TestHosts(t *testing.T) {
	r := startServer(t, setup{census: true, hosts: []string{"shard1.example.com", "10.0.0.1", "::1"}})
	r.node.enter(t, "up")
	open := []string{"/health", "/signal/health", "/about/health"}
	for path := range readDescription(t).paths {
		for _, c := range []struct {
			host   string
			served bool
		}{
			{"shard1.example.com", true}, {"Shard1.EXAMPLE.com:6000", true}, {"shard1.example.com.:6001", true},
			{"10.0.0.1:6000", true}, {"[::1]:6000", true}, {"[::1]", true},
			{"evil.example", false}, {"evil.example:6000", false}, {"shard1.example.com.evil.example", false},
			{"example.com", false}, {"10.0.0.2", false}, {"", false}, {"[::2]:6000", false},
		} {
			answer := r.askAs(t, c.host, "GET", path)
			misdirected := answer.StatusCode == http.StatusMisdirectedRequest
			if wanted := !c.served && !slices.Contains(open, path); misdirected != wanted {
				t.Errorf("%s for %q: %d", path, c.host, answer.StatusCode)
			}
			wantNotStored(t, "GET", path, answer)
		}
	}
	for target, code := range map[string]int{
		"/nowhere": 421, "/health/../signal/report": 421, "//health": 421, "/health/": 421,
		"http://shard1.example.com/signal/report": 200, // this name counts, not the Host header (RFC 9112)
		"http://evil.example/signal/report":       421,
	} {
		if got := r.askAs(t, "evil.example", "GET", target).StatusCode; got != code {
			t.Errorf("%s: %d, want %d", target, got, code)
		}
	}
	if got := r.askAs(t, "evil.example", "POST", "/signal/report").StatusCode; got != 421 {
		t.Errorf("POST: %d, want 421", got)
	}
}

// TestAnyHost checks that all names are served by default.
func TestAnyHost(t *testing.T) {
	r := startServer(t, setup{})
	r.node.enter(t, "up")
	for _, host := range []string{"", "evil.example", "[::2]:1"} {
		if got := r.askAs(t, host, "GET", "/signal/explain").StatusCode; got != 200 {
			t.Errorf("%q: %d", host, got)
		}
	}
}

// TestWebConfig checks TLS, with HTTP/2 and HTTP/1.1, and passwords, on each route and both listeners, with a real web
// configuration.
func TestWebConfig(t *testing.T) {
	folder, ca := t.TempDir(), testbed.NewAuthority(t)
	certificate, key := ca.Issue(t, "sidecar")
	testbed.Write(t, folder, "cert.pem", certificate)
	testbed.Write(t, folder, "key.pem", key)
	hash, err := bcrypt.GenerateFromPassword([]byte("right"), bcrypt.MinCost)
	testbed.Must(t, err)
	file, err := webconfig.Open(testbed.Write(t, folder, "web.yml", fmt.Sprintf(
		"tls_server_config:\n  cert_file: cert.pem\n  key_file: key.pem\nbasic_auth_users:\n  me: %s\n"+
			"http_server_config:\n  headers:\n    X-Frame-Options: deny\n", hash)), slog.New(slog.DiscardHandler))
	testbed.Must(t, err)
	r := startServer(t, setup{access: file, second: true})
	r.node.enter(t, "up")
	open := []string{"/health", "/signal/health", "/about/health"}
	for _, http2 := range []bool{true, false} {
		r.client = &http.Client{Timeout: bound, Transport: &http.Transport{
			TLSClientConfig: &tls.Config{RootCAs: ca.Pool()}, ForceAttemptHTTP2: http2,
		}}
		for _, address := range r.addresses() {
			r.origin = "https://" + address
			for path := range readDescription(t).paths {
				if path == eventsPath {
					continue
				}
				if code := r.ask(t, "GET", path).code; (code == 401) == slices.Contains(open, path) {
					t.Errorf("%s without a password: %d", path, code)
				}
				got := r.ask(t, "GET", path, "Authorization: Basic "+base64.StdEncoding.EncodeToString([]byte("me:right")))
				if got.code == 401 || got.header.Get("X-Frame-Options") != "deny" {
					t.Errorf("%s with the password: %d, %v", path, got.code, got.header)
				}
			}
			if code := r.ask(t, "GET", "/nowhere").code; code != 401 {
				t.Errorf("an unknown path without a password: %d", code)
			}
		}
		r.origin = "https://me:right@" + r.addresses()[1]
		answer := r.open(t, "GET")
		s := &eventStream{Closer: answer.Body, lines: bufio.NewReader(answer.Body)}
		s.next(t) // the clock event
		if e := s.next(t); answer.ProtoMajor == 2 != http2 || e.name != "page" {
			t.Errorf("an event of %s: %s", answer.Proto, e.name)
		}
		s.Close()
		r.client.CloseIdleConnections()
	}
}
