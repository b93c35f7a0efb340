package fleet

import (
	"context"
	"encoding/pem"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/signal-sidecar/signal-sidecar/testbed"
)

// The statistics of HAProxy 2.6 and of a later one: other columns in another order.
const (
	statistics26 = "# pxname,svname,qcur,scur,status,weight,type,agent_status,last_agt,\n" +
		"users,FRONTEND,,3,OPEN,,0,,,\n" +
		"signal,shard1,0,7,UP,256,2,L7OK,,\n" +
		"signal,shard2,0,0,DOWN (agent),256,2,* L7STS,\"via agent : down (a, b)\",\n" +
		"signal,BACKEND,0,7,UP,512,1,,,\n"
	statistics3 = "# pxname,svname,type,scur,weight,status,new,agent_status,\n" +
		"signal,region-shard1-443,2,7,256,no check,x,,\n" +
		"web,nginx,2,7,1,UP,x,,\n"
)

// TestStatistics parses what HAProxys of several versions send.
func TestStatistics(t *testing.T) {
	t.Parallel()
	servers, err := parseStatistics([]byte(statistics26))
	if err != nil || len(servers) != 2 {
		t.Fatalf("%+v, %v", servers, err)
	}
	if want := (Belief{
		Backend: "signal", Server: "shard2", State: "DOWN", Status: "DOWN (agent)", Weight: 256,
		AgentStatus: "L7STS", AgentText: "via agent : down (a, b)",
	}); servers[1] != want {
		t.Errorf("%+v", servers[1])
	}
	servers, err = parseStatistics([]byte(statistics3))
	all := byShard(servers, regexp.MustCompile(`^region-(.*)-443$`))
	if err != nil || len(all) != 1 || len(all["shard1"]) != 1 {
		t.Fatalf("%+v, %v", all, err)
	}
	if s := all["shard1"][0]; s.State != "UP" || s.Sessions != 7 {
		t.Errorf("%+v", s)
	}
	if all := byShard(servers, nil); len(all["nginx"]) != 1 {
		t.Errorf("%+v", all)
	}
}

// TestBadStatistics checks what is refused, and why.
func TestBadStatistics(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"":                                      "not HAProxy's statistics as CSV",
		"\n<!DOCTYPE html><form>login":          "the answer is HTML",
		"Unknown command: show":                 `it begins with "Unknown command: show"`,
		statistics26[:len(statistics26)-1]:      "cut off: the last line has no end",
		"# pxname,svname,a\nx,y,z\nx\n":         "broken or cut off: record on line 3: wrong number of fields",
		"# pxname,svname,\nx,y,\n":              "no column status",
		"# pxname,svname,status\nx,\"y\nz,1,\n": "broken or cut off",
	} {
		if servers, err := parseStatistics([]byte(text)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, %v", text, servers, err)
		}
	}
}

// parse parses the URL of an HAProxy that must be good.
func parse(t *testing.T, url string) *HAProxy {
	t.Helper()
	h, err := ParseHAProxy(url, nil)
	if err != nil {
		t.Fatalf("%s: %v", url, err)
	}
	t.Cleanup(func() {
		if h.client != nil {
			h.client.CloseIdleConnections()
		}
	})
	return h
}

// TestHAProxyURL checks which URLs are accepted, and that none of their secrets is shown.
func TestHAProxyURL(t *testing.T) {
	t.Parallel()
	for _, bad := range []string{
		"", "lb1:8404", "unix:relative", "unix://host/path", "ftp://lb1", "http://", "http://a b/",
	} {
		if h, err := ParseHAProxy(bad, nil); err == nil {
			t.Errorf("%q is accepted: %+v", bad, h)
		}
	}
	refused := httptest.NewServer(nil)
	host := strings.TrimPrefix(refused.URL, "http://")
	refused.Close()
	h := parse(t, "http://user:secret@"+host+"/;csv?token=secret")
	_, err := h.servers(t.Context())
	if err == nil || strings.Contains(err.Error(), "secret") ||
		err.Error() != "read the statistics: HAProxy does not accept connections at "+host {
		t.Errorf("error %v", err)
	}
	if h.Name() != host || parse(t, "unix:/run/a.sock").Name() != "/run/a.sock" {
		t.Errorf("name %q", h.Name())
	}
}

// TestHAProxyOverHTTP requests statistics with a password, and from servers that answer something else.
func TestHAProxyOverHTTP(t *testing.T) {
	t.Parallel()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch user, password, _ := r.BasicAuth(); {
		case r.URL.Path == "/login":
			fmt.Fprint(w, "<html>login")
		case r.URL.Path == "/away":
			http.Redirect(w, r, "/login", http.StatusFound)
		case r.URL.Path == "/cut":
			w.Header().Set("Content-Length", "10000")
			fmt.Fprint(w, statistics26)
		case r.URL.Path == "/endless":
			for r.Context().Err() == nil {
				if _, err := io.WriteString(w, strings.Repeat("# pxname,svname,\n", 10000)); err != nil {
					return
				}
			}
		case user != "stats" || password != "secret":
			w.WriteHeader(http.StatusUnauthorized)
		default:
			fmt.Fprint(w, statistics26)
		}
	}))
	t.Cleanup(server.Close)
	host := strings.TrimPrefix(server.URL, "http://")
	for url, want := range map[string]string{
		"http://stats:secret@" + host + "/;csv": "",
		"http://" + host + "/;csv":              "HAProxy at http://" + host + "/;csv answered 401",
		"http://" + host + "/login":             "the answer is HTML",
		"http://" + host + "/away":              "answered 302",
		"http://" + host + "/cut":               "HAProxy closed the connection at " + host + " before",
		"http://" + host + "/endless":           "larger than 32 MiB",
	} {
		servers, err := parse(t, url).servers(t.Context())
		switch {
		case want == "" && (err != nil || len(servers) != 2 || servers[0].HAProxy != host):
			t.Errorf("%s: %+v, %v", url, servers, err)
		case want != "" && (err == nil || !strings.Contains(err.Error(), want)):
			t.Errorf("%s: %+v, %v", url, servers, err)
		}
	}
}

// TestHAProxySocket asks sockets that end early, and one that never answers.
func TestHAProxySocket(t *testing.T) {
	t.Parallel()
	for answer, want := range map[string]string{
		statistics26 + "\n":         "",
		statistics26:                "the empty line at the end is missing",
		"Permission denied\n\n":     `it begins with "Permission denied\n"`,
		statistics26[:150] + "\n\n": "wrong number of fields",
		"hangs":                     "gave no complete reply at ",
	} {
		path := filepath.Join(t.TempDir(), "s")
		l, err := net.Listen("unix", path)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = l.Close() })
		go func() {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			defer conn.Close()
			begin := make([]byte, 64)
			if n, _ := conn.Read(begin); string(begin[:n]) != "show stat -1 4 -1\n" {
				return
			}
			if answer == "hangs" {
				_, _ = io.Copy(io.Discard, conn)
			}
			_, _ = io.WriteString(conn, answer)
		}()
		ctx, cancel := context.WithTimeout(t.Context(), haproxyTimeout)
		if answer == "hangs" {
			cancel()
			ctx, cancel = context.WithTimeout(t.Context(), 50*time.Millisecond)
		}
		servers, err := parse(t, "unix:"+path).servers(ctx)
		cancel()
		switch {
		case want == "" && (err != nil || len(servers) != 2):
			t.Errorf("%q: %+v, %v", answer, servers, err)
		case want != "" && (err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), path)):
			t.Errorf("%q: %+v, %v", answer, servers, err)
		}
	}
}

// statisticsOf serves statistics in which shard s1 has a status.
func statisticsOf(status func() string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprintf(w, "# pxname,svname,scur,status,weight,type,\nsignal,s1,1,%s,256,2,\n", status())
	}
}

// TestHAProxyOverTLS requests statistics from a server whose certificate is signed by a CA of a file.
func TestHAProxyOverTLS(t *testing.T) {
	t.Parallel()
	server := httptest.NewUnstartedServer(statisticsOf(func() string { return "UP" }))
	server.Config.ErrorLog = log.New(io.Discard, "", 0)
	server.StartTLS()
	t.Cleanup(server.Close)
	block := &pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw}
	path := filepath.Join(t.TempDir(), "ca.pem")
	testbed.Must(t, os.WriteFile(path, pem.EncodeToMemory(block), 0o600))
	roots, err := ReadRoots(path)
	testbed.Must(t, err)
	h, err := ParseHAProxy(server.URL+"/;csv", roots)
	testbed.Must(t, err)
	t.Cleanup(h.client.CloseIdleConnections)
	if servers, err := h.servers(t.Context()); err != nil || len(servers) != 1 {
		t.Errorf("%+v, %v", servers, err)
	}
	if _, err := parse(t, server.URL+"/;csv").servers(t.Context()); err == nil ||
		!strings.Contains(err.Error(), "HAProxy has a certificate from an unknown authority at ") {
		t.Errorf("without the CA: %v", err)
	}
	testbed.Must(t, os.WriteFile(path, []byte("no certificate"), 0o600))
	if _, err := ReadRoots(path); err == nil {
		t.Error("a file without a certificate is accepted")
	}
}
