package consul

import (
	"context"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/hashicorp/consul/api"

	"github.com/signal-sidecar/signal-sidecar/testbed"
)

// serve returns the URL of a server.
func serve(t *testing.T, handler http.HandlerFunc) string {
	t.Helper()
	s := httptest.NewServer(handler)
	t.Cleanup(s.Close)
	return s.URL
}

func newClient(t *testing.T, o ClientOptions) *api.Client {
	t.Helper()
	client, err := NewClient(o)
	testbed.Must(t, err)
	return client
}

// reply returns a handler that sends one answer. header is a list of names and values.
func reply(code int, body string, header ...string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		for i := 0; i < len(header); i += 2 {
			w.Header().Set(header[i], header[i+1])
		}
		w.WriteHeader(code)
		fmt.Fprint(w, body)
	}
}

// TestAnswersThatAreNotConsul checks the errors of answers that are none of Consul's results.
func TestAnswersThatAreNotConsul(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		handler http.HandlerFunc
		want    string
	}{
		"page":         {reply(200, "\n", "Content-Type", "text/html; charset=utf-8"), "answered with HTML"},
		"page as JSON": {reply(200, "<!doctype html><p>log in"), "answered with HTML"},
		"page as 404":  {reply(404, "<html>nginx</html>", "Content-Type", "text/html"), "answered with HTML"},
		"redirect":     {reply(302, "", "Location", "https://login.example.com/"), "302, a redirect to https://login.example.com/"},
		"denied":       {reply(403, "Permission denied:\n\x1b[31mkey:read"), "answered 403: Permission denied: ?[31mkey:read"},
		"long":         {reply(500, strings.Repeat("x", 500<<10)), "answered 500: " + strings.Repeat("x", 297) + "..."},
		"large":        {reply(200, `["`+strings.Repeat("x", 2000)+`"]`), "sent a reply that is too large"},
		"hangs":        {func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }, "gave no complete reply within 200ms"},
		"hangs halfway": {func(w http.ResponseWriter, r *http.Request) {
			reply(200, `[{`)(w, r)
			w.(http.Flusher).Flush()
			<-r.Context().Done()
		}, "gave no complete reply within 200ms"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			url := serve(t, c.handler)
			client := newClient(t, ClientOptions{URL: url, Timeout: 200 * time.Millisecond, MaxAnswer: 1000})
			_, _, err := client.KV().Get("shard-states/prod/shard-1", nil)
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("error %v, want %q", err, c.want)
			}
			inBody := name == "large" || name == "hangs halfway"
			if !inBody && !strings.Contains(err.Error(), url+"/v1/kv/shard-states/prod/shard-1") {
				t.Errorf("error %v does not name the request", err)
			}
		})
	}
}

func TestStatusErrorHasRetryAfter(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]time.Duration{
		"7": 7 * time.Second, "": 0, "-1": 0, "x": 0, "99999999": maxRetryAfter,
	} {
		client := newClient(t, ClientOptions{URL: serve(t, reply(429, "slow down", "Retry-After", text))})
		_, _, err := client.KV().Get("key", nil)
		if status := (*StatusError)(nil); !errors.As(err, &status) || status.Code != 429 || status.RetryAfter != want {
			t.Errorf("Retry-After %q: %v", text, err)
		}
	}
}

// TestMissingKey checks that a missing key is a result and not an error.
func TestMissingKey(t *testing.T) {
	t.Parallel()
	client := newClient(t, ClientOptions{URL: serve(t, reply(404, "", "X-Consul-Index", "7"))})
	pair, meta, err := client.KV().Get("key", nil)
	if pair != nil || err != nil || meta.LastIndex != 7 {
		t.Errorf("pair %v, meta %v, error %v", pair, meta, err)
	}
}

// TestTokenIsReadAgain rotates the token in the file, removes the file, and gives it content that is no token.
func TestTokenIsReadAgain(t *testing.T) {
	t.Parallel()
	tokens := make(chan string, 1)
	url := serve(t, func(w http.ResponseWriter, r *http.Request) {
		tokens <- r.Header.Get("X-Consul-Token")
		reply(404, "")(w, r)
	})
	file := filepath.Join(t.TempDir(), "token")
	client := newClient(t, ClientOptions{URL: url, TokenFile: file, Token: "not this"})
	for _, token := range []string{"first", "second"} {
		testbed.Must(t, os.WriteFile(file, []byte(token+"\n"), 0o600))
		_, _, err := client.KV().Get("key", nil)
		testbed.Must(t, err)
		if got := <-tokens; got != token {
			t.Errorf("token %q was sent instead of %q", got, token)
		}
	}
	for _, content := range []string{"two words", "a\x00b", strings.Repeat("x", maxToken+1)} {
		testbed.Must(t, os.WriteFile(file, []byte(content), 0o600))
		if _, _, err := client.KV().Get("key", nil); err == nil || !strings.Contains(err.Error(), "CONSUL_HTTP_TOKEN_FILE: "+file) {
			t.Errorf("error %v for a file without a token", err)
		}
	}
	testbed.Must(t, os.Remove(file))
	if _, _, err := client.KV().Get("key", nil); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("error %v for a missing file", err)
	}
}

// TestRequest checks what a request has of the options.
func TestRequest(t *testing.T) {
	t.Parallel()
	requests := make(chan *http.Request, 1)
	url := serve(t, func(w http.ResponseWriter, r *http.Request) {
		requests <- r
		reply(404, "")(w, r)
	})
	for _, token := range []string{"", "secret"} {
		client := newClient(t, ClientOptions{
			URL: url + "/consul", Token: token, User: "admin", Password: "pw", Namespace: "n", Partition: "p", Datacenter: "d",
		})
		_, _, err := client.KV().Get("a b/c", nil)
		testbed.Must(t, err)
		r := <-requests
		user, password, _ := r.BasicAuth()
		got := fmt.Sprint(r.URL, " ", r.Header.Get("X-Consul-Token"), " ", user, " ", password)
		if want := "/consul/v1/kv/a%20b/c?dc=d&ns=n&partition=p " + token + " admin pw"; got != want {
			t.Errorf("request %q, want %q", got, want)
		}
	}
}

// TestBlockingQueryMayTakeLonger checks that the time for which Consul waits does not count as a hang.
func TestBlockingQueryMayTakeLonger(t *testing.T) {
	t.Parallel()
	url := serve(t, func(w http.ResponseWriter, r *http.Request) {
		select {
		case <-r.Context().Done():
		case <-time.After(300 * time.Millisecond):
			reply(404, "")(w, r)
		}
	})
	client := newClient(t, ClientOptions{URL: url, Timeout: 50 * time.Millisecond})
	ctx, cancel := context.WithTimeout(context.Background(), bound)
	defer cancel()
	query := (&api.QueryOptions{WaitIndex: 1, WaitTime: time.Minute}).WithContext(ctx)
	if _, _, err := client.KV().Get("key", query); err != nil {
		t.Error(err)
	}
}

// TestTLS verifies the server's certificate by CONSUL_CACERT and its name.
func TestTLS(t *testing.T) {
	t.Parallel()
	server := httptest.NewTLSServer(reply(404, "", "X-Consul-Index", "1"))
	t.Cleanup(server.Close)
	server.Config.ErrorLog = log.New(io.Discard, "", 0)
	file := testbed.Write(t, t.TempDir(), "ca.pem", string(pem.EncodeToMemory(
		&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw})))
	for _, c := range []struct {
		o    ClientOptions
		want string // "" for success
	}{
		{ClientOptions{CAFile: file}, ""},
		{ClientOptions{CAFile: file, ServerName: "example.com"}, ""},
		{ClientOptions{CAFile: file, ServerName: "consul"}, "certificate is valid for"},
		{ClientOptions{}, "certificate signed by unknown authority"},
		{ClientOptions{Insecure: true}, ""},
	} {
		c.o.URL = server.URL
		_, _, err := newClient(t, c.o).KV().Get("key", nil)
		if err == nil != (c.want == "") || err != nil && !strings.Contains(err.Error(), c.want) {
			t.Errorf("%+v: error %v", c.o, err)
		}
	}
	if _, err := NewClient(ClientOptions{URL: server.URL, CAFile: "/nonexistent"}); err == nil {
		t.Error("a CA file that does not exist is accepted")
	}
}

// TestUnixSocket reaches Consul by a socket in the file system.
func TestUnixSocket(t *testing.T) {
	t.Parallel()
	folder, err := os.MkdirTemp("", "") // that of t.TempDir may be too long for a socket
	testbed.Must(t, err)
	t.Cleanup(func() { os.RemoveAll(folder) })
	socket := filepath.Join(folder, "consul.sock")
	listener, err := net.Listen("unix", socket)
	testbed.Must(t, err)
	server := httptest.NewUnstartedServer(reply(404, "", "X-Consul-Index", "1"))
	server.Listener.Close()
	server.Listener = listener
	server.Start()
	t.Cleanup(server.Close)
	if _, _, err := newClient(t, ClientOptions{URL: "unix://" + socket}).KV().Get("key", nil); err != nil {
		t.Error(err)
	}
}
