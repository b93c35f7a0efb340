package main

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"syscall"

	"github.com/alecthomas/kong"

	"github.com/signal-sidecar/signal-sidecar/config"
	"github.com/signal-sidecar/signal-sidecar/errtext"
	"github.com/signal-sidecar/signal-sidecar/health"
	"github.com/signal-sidecar/signal-sidecar/webconfig"
)

// statusClient asks one sidecar.
type statusClient struct {
	base string        // origin, without user
	host string        // Host header, "" for that of base
	user *url.Userinfo // nil for none
	tls  *tls.Config
}

// client returns the client for --url, or for the sidecar with the same settings as this command.
func (s statusCommand) client(line *kong.Context, env *config.Environment) (*statusClient, error) {
	c := &statusClient{tls: new(tls.Config)}
	if err := s.setFiles(c.tls); err != nil {
		return nil, err
	}
	if s.URL == "" {
		return c, c.local(line, env, s.CA != "")
	}
	base, err := config.Service(s.URL)
	if err != nil {
		return nil, config.NewError("--url", s.URL, "flag", err)
	}
	parsed, err := url.Parse(base)
	if err != nil {
		return nil, config.NewError("--url", s.URL, "flag", err)
	}
	c.user, parsed.User = parsed.User, nil
	c.base = parsed.String()
	return c, nil
}

// setFiles reads the files of the flags.
func (s statusCommand) setFiles(c *tls.Config) (err error) {
	if s.CA != "" {
		if c.RootCAs, err = config.Authorities(s.CA); err != nil {
			return config.NewError("--ca-file", s.CA, "flag", err)
		}
	}
	if s.Cert == "" && s.Key == "" {
		return nil
	}
	pair, err := tls.LoadX509KeyPair(s.Cert, s.Key)
	if err != nil {
		return config.NewError("--cert-file", s.Cert, "flag", errors.New("a PEM file with the certificate of the key in --key-file"))
	}
	c.Certificates = []tls.Certificate{pair}
	return nil
}

// local points the client at the sidecar on this machine. Unless a CA file is given, that must have the certificate in
// WEB_CONFIG_FILE, whose name need not be 127.0.0.1.
func (c *statusClient) local(line *kong.Context, env *config.Environment, givenCA bool) error {
	settings, err := config.Load(line, env)
	if err != nil {
		return err
	}
	host, port, err := net.SplitHostPort(settings.HTTPAddress)
	if err != nil {
		return err
	}
	if config.AnyHost(host) {
		host = "127.0.0.1"
	}
	if len(settings.HTTPHosts) > 0 {
		c.host = settings.HTTPHosts[0]
	}
	scheme := "http"
	if settings.WebConfigFile != "" {
		certificate, err := webconfig.Certificate(settings.WebConfigFile)
		if err != nil {
			return err
		}
		if certificate != nil {
			scheme = "https"
		}
		if certificate != nil && !givenCA {
			c.tls.InsecureSkipVerify = true // VerifyConnection does it
			c.tls.VerifyConnection = func(s tls.ConnectionState) error {
				expected, err := webconfig.Certificate(settings.WebConfigFile) // it may have been renewed
				if err == nil && !s.PeerCertificates[0].Equal(expected) {
					err = errors.New("the certificate is not that of WEB_CONFIG_FILE")
				}
				return err
			}
		}
	}
	c.base = (&url.URL{Scheme: scheme, Host: net.JoinHostPort(host, port)}).String()
	return nil
}

// codeError is the code of a reply that is not 200.
type codeError int

func (c codeError) Error() string { return fmt.Sprintf("reply %d", int(c)) }

// foreignError is what a reply has that no sidecar sends.
type foreignError string

func (f foreignError) Error() string { return "not the reply of a sidecar: " + string(f) }

// errPlain is the reply of Go's HTTP server to a request without TLS.
var errPlain = errors.New("the request needs TLS")

// stalledError is what a sidecar replies on healthPath when one of its poll loops makes no progress.
type stalledError string

func (s stalledError) Error() string {
	return "the sidecar replies that it does not work: " + string(s)
}

// access reports whether the request was refused because of who asked, or by which name.
func (c codeError) access() bool {
	return slices.Contains([]int{http.StatusUnauthorized, http.StatusMisdirectedRequest}, int(c))
}

// get returns the body of a 200.
func (c *statusClient) get(ctx context.Context, path string) ([]byte, error) {
	res, err := c.do(ctx, path)
	if err != nil {
		return nil, err
	}
	defer res.Body.Close()
	if res.StatusCode == http.StatusBadRequest && strings.HasPrefix(c.base, "http:") {
		begin, _ := io.ReadAll(io.LimitReader(res.Body, 256))
		if strings.Contains(string(begin), "HTTP request to an HTTPS server") {
			return nil, errPlain
		}
	}
	if res.StatusCode == http.StatusServiceUnavailable && path == healthPath {
		text, _ := io.ReadAll(io.LimitReader(res.Body, maxStalled))
		return nil, stalledError(text)
	}
	if res.StatusCode != http.StatusOK {
		return nil, codeError(res.StatusCode)
	}
	return io.ReadAll(io.LimitReader(res.Body, maxExplanation))
}

// do sends one request. Its time limit includes the body.
func (c *statusClient) do(ctx context.Context, path string) (*http.Response, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, c.base+path, nil)
	if err != nil {
		return nil, err
	}
	req.Host = c.host
	if c.user != nil {
		password, _ := c.user.Password()
		req.SetBasicAuth(c.user.Username(), password)
	}
	client := &http.Client{Timeout: statusTimeout, Transport: &http.Transport{
		Proxy: nil, DisableKeepAlives: true, TLSClientConfig: c.tls,
	}}
	return client.Do(req)
}

// withoutReasons asks for the verdict alone, which needs no password and replies to every name.
func (c *statusClient) withoutReasons(ctx context.Context, refused codeError) statusResult {
	const path = "/signal/health"
	why := map[codeError]string{
		http.StatusUnauthorized:       "the reasons need a password: --url https://user:password@HOST",
		http.StatusMisdirectedRequest: "the reasons are at the names of HTTP_HOSTS only",
	}[refused]
	res, err := c.do(ctx, path)
	if err != nil {
		return c.unknown(path, err)
	}
	defer res.Body.Close()
	state := health.EscapeLine(res.Header.Get("Signal-Status"))
	if reason := res.Header.Get("Signal-Reason"); reason != "" && reason != string(health.ReasonNone) {
		state += "  because  [" + health.EscapeLine(reason) + "]"
	}
	code, known := map[int]int{
		http.StatusOK: exitUp, http.StatusServiceUnavailable: exitDown, http.StatusInternalServerError: exitUnknown,
	}[res.StatusCode]
	if !known || res.Header.Get("Signal-Status") == "" {
		return c.unknown(path, codeError(res.StatusCode))
	}
	return statusResult{text: fmt.Sprintf("%s  (%s)", state, why), code: code}
}

// unknown returns the result of a request that gave no information.
func (c *statusClient) unknown(path string, err error) statusResult {
	return statusResult{text: "unknown: " + c.problem(path, err), code: exitUnknown}
}

// problem describes a request that gave no information, in one line.
func (c *statusClient) problem(path string, err error) string {
	var foreign foreignError
	var code codeError
	var stalled stalledError
	at := c.base + path
	switch {
	case errors.As(err, &stalled):
		return health.EscapeLine(stalled.Error())
	case errors.As(err, &code):
		return fmt.Sprintf("%s answered %d: is that HTTP_PORT?", at, int(code))
	case errors.As(err, &foreign):
		return fmt.Sprintf("the reply of %s is not a sidecar's, %s: is that HTTP_PORT?", at, string(foreign))
	case errors.Is(err, errPlain):
		return fmt.Sprintf("%s needs https", at)
	case errors.Is(err, context.DeadlineExceeded):
		return fmt.Sprintf("%s gave no complete reply within %s", at, statusTimeout)
	}
	if outer := (*url.Error)(nil); errors.As(err, &outer) {
		err = outer.Err // it repeats the method and the URL
	}
	text := "the sidecar " + errtext.Peer(err, c.address())
	if errors.Is(err, syscall.ECONNREFUSED) {
		text += ": does it run, and is that HTTP_PORT?"
	}
	return health.EscapeLine(text)
}

// address returns host:port of the sidecar.
func (c *statusClient) address() string {
	u, err := url.Parse(c.base)
	if err != nil {
		return c.base
	}
	return errtext.Address(u)
}
