package collector

import (
	"context"
	"crypto/tls"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/signal-sidecar/signal-sidecar/errtext"
	"github.com/signal-sidecar/signal-sidecar/testbed"
)

// secure makes a probe trust an authority, and starts a server with its certificate for a name.
func secure(t *testing.T, r *rig, name string, end time.Time, clients tls.ClientAuthType) string {
	t.Helper()
	authority := testbed.NewAuthority(t)
	pair, err := tls.X509KeyPair(pemPair(authority.IssueUntil(t, name, end)))
	testbed.Must(t, err)
	r.options.RootCAs = authority.Pool()
	s := httptest.NewUnstartedServer(http.NotFoundHandler())
	s.Config.ErrorLog = silent
	s.TLS = &tls.Config{Certificates: []tls.Certificate{pair}, ClientAuth: clients}
	s.StartTLS()
	t.Cleanup(s.Close)
	return s.URL
}

func pemPair(certificate, key string) (c, k []byte) { return []byte(certificate), []byte(key) }

// behaves starts a node whose prosody has a behavior.
func behaves(behavior string) func(*testing.T, *rig) string {
	return func(t *testing.T, r *rig) string {
		t.Helper()
		if behavior == "hang" || behavior == "drip" {
			r.options.Timeout = time.Second
		}
		node := startNode(t)
		behave(t, node.Prosody, "/http-bind", behavior)
		return node.Prosody.Origin()
	}
}

// dialing makes each dial fail.
func dialing(err error) func(*testing.T, *rig) string {
	return func(_ *testing.T, r *rig) string {
		r.options.Dial = func(_ context.Context, network, _ string) (net.Conn, error) {
			return nil, &net.OpError{Op: "dial", Net: network, Err: err}
		}
		return "http://prosody.example:5280"
	}
}

func connecting(code syscall.Errno) func(*testing.T, *rig) string {
	return dialing(os.NewSyscallError("connect", code))
}

func wire(answer string) func(*testing.T, *rig) string {
	return func(t *testing.T, _ *rig) string { return serveWire(t, answer) }
}

func overTLS(origin func(*testing.T, *rig) string) func(*testing.T, *rig) string {
	return func(t *testing.T, r *rig) string { return strings.Replace(origin(t, r), "http:", "https:", 1) }
}

// TestFailuresInWords checks the text of each kind of failure: a phrase that follows the name of the service, with its
// address, and without the words of Go. The original error is in the answer, the span and the log.
func TestFailuresInWords(t *testing.T) {
	t.Parallel()
	later, past := time.Now().Add(time.Hour), time.Now().Add(-time.Minute)
	for _, tt := range []struct {
		name   string
		origin func(*testing.T, *rig) string
		want   string // without " at " and the address
		error  string // a part of the original error
	}{
		{"refused", behaves("crash"), "does not accept connections", "connect: connection refused"},
		{"reset", behaves("reset"), "reset the connection before its reply was complete", "connection reset by peer"},
		{"closed", behaves("close"), "closed the connection before its reply was complete", "EOF"},
		{"closed in the body", behaves("truncate"), "closed the connection before its reply was complete", "unexpected EOF"},
		{"silent", behaves("hang"), "gave no reply within 1s", "deadline exceeded"},
		{"slow body", behaves("drip"), "did not complete its reply within 1s", "deadline exceeded"},
		{"too large", behaves("huge"), "sent a body of more than 64 KiB", "larger than this probe reads"},
		{"redirects", behaves("redirect loop"), "redirected more than 5 times", "more than 5 redirects"},
		{"not HTTP", behaves("garbage"), "sent no valid HTTP reply", "malformed HTTP"},
		{"half a header", wire("HTTP/1.1 200 OK\r\nContent-Le"), "sent no valid HTTP reply", "malformed MIME header"},
		{"endless headers", wire("HTTP/1.1 200 OK\r\n" + strings.Repeat("A: b\r\n", 20_000)), "sent too large headers",
			"headers exceeded"},
		{"TLS on the port", wire("\x15\x03\x01\x00\x02\x02\x16"), "uses TLS, but was asked without it", "malformed HTTP"},
		{"no TLS on the port", overTLS(behaves("healthy")), "does not use TLS", "HTTP response to HTTPS client"},
		{"neither HTTP nor TLS", overTLS(wire("SSH-2.0-OpenSSH_9.6\r\n")), "does not use TLS", "does not look like a TLS"},
		{"alert", overTLS(wire("\x15\x03\x03\x00\x02\x02\x28")), "refused the TLS handshake: handshake failure", "remote error"},
		{"authority", func(t *testing.T, r *rig) string {
			origin := secure(t, r, "localhost", later, tls.NoClientCert)
			r.options.RootCAs = testbed.NewAuthority(t).Pool()
			return origin
		}, "has a certificate from an unknown authority", "signed by unknown authority"},
		{"name", func(t *testing.T, r *rig) string {
			return strings.Replace(secure(t, r, "a.example", later, tls.NoClientCert), "127.0.0.1", "localhost", 1)
		}, `has a certificate for "a.example", not for "localhost"`, "valid for a.example, not localhost"},
		{"expired", func(t *testing.T, r *rig) string { return secure(t, r, "localhost", past, tls.NoClientCert) },
			"has a certificate that expired at " + past.UTC().Format("2006-01-02 15:04Z"), "has expired"},
		{"client certificate", func(t *testing.T, r *rig) string {
			return secure(t, r, "localhost", later, tls.RequireAnyClientCert)
		}, "refused the TLS handshake: certificate required", "certificate required"},
		{"no such name", dialing(&net.DNSError{Err: "no such host", Name: "prosody.example", IsNotFound: true}),
			`cannot be found: the name "prosody.example" does not exist`, "no such host"},
		{"name server", dialing(&net.DNSError{Err: "server misbehaving", Name: "prosody.example", IsTemporary: true}),
			`cannot be found: the name server failed to resolve the name "prosody.example"`, "server misbehaving"},
		{"host", connecting(syscall.EHOSTUNREACH), "cannot be reached: no route to host", "connect: no route to host"},
		{"network", connecting(syscall.ENETUNREACH), "cannot be reached: network is unreachable", "network is unreachable"},
		{"not permitted", connecting(syscall.EPERM), "cannot be reached: this machine does not permit the connection",
			"operation not permitted"},
		{"the kernel's timeout", connecting(syscall.ETIMEDOUT), "did not accept a connection in time", "timed out"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t)
			origin := tt.origin(t, r)
			stop := r.run(NewProsody(origin, r.options))
			got := r.next().Prosody.Health
			stop()
			address := mustParse(t, origin).Host
			if detail := strings.Replace(got.Detail, " at "+address, "", 1); detail != tt.want ||
				detail == got.Detail && !strings.HasPrefix(detail, "cannot be found") {
				t.Errorf("%q, want %q with the address %s", got.Detail, tt.want, address)
			}
			if !strings.Contains(got.Error, tt.error) {
				t.Errorf("the original error is %q, want %q", got.Error, tt.error)
			}
			if span := spansNamed(r, "probe prosody")[0]; attributeOf(span, "signal.error") != got.Error ||
				span.Status().Description != got.Detail {
				t.Errorf("the span has %v, %+v", span.Attributes(), span.Status())
			}
			if log := r.log.String(); !regexp.MustCompile(` detail=\S.* error=\S`).MatchString(log) {
				t.Errorf("logged %s", log)
			}
		})
	}
}

// TestConnectTimeoutInWords checks the text of a connection that is not accepted, of a handshake that does not end, and
// of a name that is not resolved.
func TestConnectTimeoutInWords(t *testing.T) {
	t.Parallel()
	silent, err := net.Listen("tcp", "127.0.0.1:0") // the kernel accepts, and there is no reply
	testbed.Must(t, err)
	t.Cleanup(func() { _ = silent.Close() })
	waits := func(ctx context.Context, _, _ string) (net.Conn, error) {
		select {
		case <-ctx.Done():
		case <-t.Context().Done(): // two lookups of a name share one, whose context does not end with theirs
		}
		return nil, &net.OpError{Op: "dial", Net: "tcp", Err: context.DeadlineExceeded}
	}
	resolver := &net.Resolver{PreferGo: true, Dial: waits}
	for origin, tt := range map[string]struct {
		dial dialer
		want string
	}{
		"http://prosody.example:5280": {(&net.Dialer{Resolver: resolver}).DialContext,
			`cannot be found: the name "prosody.example" was not resolved within 1s`},
		"http://192.0.2.1": {waits, "did not accept a connection at 192.0.2.1:80 within 1s"},
		"https://" + silent.Addr().String(): {nil,
			"did not complete the TLS handshake at " + silent.Addr().String() + " within 1s"},
	} {
		t.Run(origin, func(t *testing.T) {
			t.Parallel()
			r := newRig(t)
			r.options.Timeout, r.options.Dial = time.Second, tt.dial // enough to connect on a busy machine
			r.run(NewProsody(origin, r.options))
			if got := r.next().Prosody.Health; got.Failure != "timeout" || got.Detail != tt.want {
				t.Errorf("%+v, want %q", got, tt.want)
			}
		})
	}
}

// TestShortageInWords checks that a shortage is described by what is lacking.
func TestShortageInWords(t *testing.T) {
	p := &httpProbe{}
	if got := p.detail(trial{err: os.NewSyscallError("socket", syscall.EMFILE)}); got !=
		"was not probed: this process has no free file descriptor" {
		t.Error(got)
	}
	if got := errtext.Peer(context.Canceled, "127.0.0.1:1"); got != "cannot be used at 127.0.0.1:1: context canceled" {
		t.Errorf("an unknown error: %s", got)
	}
}
