package fleet

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"strings"
	"time"
)

const (
	haproxyTimeout = 5 * time.Second
	maxStatistics  = 32 << 20 // bytes; a server takes some 500
)

// HAProxy is an HAProxy whose statistics are read.
type HAProxy struct {
	name   string // in tables
	source string // in errors; without user, password and query
	socket string // path of the stats socket, "" for HTTP
	url    *url.URL
	client *http.Client
}

var errHAProxyURL = errors.New("the URL of HAProxy's statistics as CSV, such as http://lb1:8404/;csv, " +
	"or unix: and the absolute path of its stats socket")

// ParseHAProxy parses the URL of an HAProxy's statistics: http or https, with optional user:password@, or unix: and the
// path of the stats socket. The text of its error follows "must be". roots are the accepted CAs, nil for those of the
// system.
func ParseHAProxy(text string, roots *x509.CertPool) (*HAProxy, error) {
	u, err := url.Parse(text)
	if err != nil {
		return nil, errHAProxyURL
	}
	switch {
	case u.Scheme == "unix" && u.Host == "" && strings.HasPrefix(u.Path, "/") && u.User == nil:
		return &HAProxy{name: u.Path, source: "unix:" + u.Path, socket: u.Path}, nil
	case (u.Scheme == "http" || u.Scheme == "https") && u.Hostname() != "":
		shown := url.URL{Scheme: u.Scheme, Host: u.Host, Path: u.Path}
		transport := &http.Transport{
			Proxy: http.ProxyFromEnvironment, TLSClientConfig: &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12},
			IdleConnTimeout: time.Minute, MaxResponseHeaderBytes: 64 << 10,
		}
		stay := func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
		return &HAProxy{
			name: u.Host, source: shown.String(), url: u,
			client: &http.Client{Transport: transport, CheckRedirect: stay},
		}, nil
	default:
		return nil, errHAProxyURL
	}
}

// ReadRoots reads a file of CA certificates. Without a path it returns nil, for those of the system.
func ReadRoots(path string) (*x509.CertPool, error) {
	if path == "" {
		return nil, nil
	}
	pem, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM(pem) {
		return nil, errors.New("no certificate in the file")
	}
	return roots, nil
}

// Name returns the name of the HAProxy in tables: host:port, or the path of the socket.
func (h *HAProxy) Name() string { return h.name }

// servers requests the statistics. An error names what was requested.
func (h *HAProxy) servers(ctx context.Context) ([]Belief, error) {
	ctx, cancel := context.WithTimeout(ctx, haproxyTimeout)
	defer cancel()
	read := h.get
	if h.socket != "" {
		read = h.ask
	}
	text, err := read(ctx)
	if err != nil {
		return nil, failure("read the statistics", "HAProxy", h.source, err)
	}
	servers, err := parseStatistics(text)
	if err != nil {
		return nil, failure("read the statistics", "HAProxy", h.source, err)
	}
	for i := range servers {
		servers[i].HAProxy = h.name
	}
	return servers, nil
}

// get requests the statistics over HTTP.
func (h *HAProxy) get(ctx context.Context) ([]byte, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, h.url.String(), http.NoBody)
	if err != nil {
		return nil, err
	}
	res, err := h.client.Do(req)
	if err != nil {
		return nil, err
	}
	defer res.Body.Close()
	if res.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("answered %d", res.StatusCode)
	}
	return readBounded(res.Body)
}

// ask requests the statistics of the servers from the stats socket. The answer ends with an empty line.
func (h *HAProxy) ask(ctx context.Context) ([]byte, error) {
	var dialer net.Dialer
	conn, err := dialer.DialContext(ctx, "unix", h.socket)
	if err != nil {
		return nil, err
	}
	defer conn.Close()
	defer context.AfterFunc(ctx, func() { _ = conn.Close() })()
	if _, err := io.WriteString(conn, "show stat -1 4 -1\n"); err != nil {
		return nil, err
	}
	text, err := readBounded(conn)
	if ctx.Err() != nil {
		return nil, ctx.Err()
	}
	if body, complete := strings.CutSuffix(string(text), "\n\n"); complete {
		return []byte(body + "\n"), err
	}
	if err == nil && strings.HasPrefix(string(text), csvBegin) {
		err = errors.New("the statistics are cut off: the empty line at the end is missing")
	}
	return text, err
}

// readBounded reads at most maxStatistics.
func readBounded(r io.Reader) ([]byte, error) {
	text, err := io.ReadAll(io.LimitReader(r, maxStatistics+1))
	if len(text) > maxStatistics {
		return nil, fmt.Errorf("the answer is larger than %d MiB", maxStatistics>>20)
	}
	return text, err
}
