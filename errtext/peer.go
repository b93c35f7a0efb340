// Package errtext describes errors of connections, TLS, HTTP and files in the words of an operator, without the names
// of system calls and Go packages. The original error belongs beside the text: in an attribute of a log line or a span.
package errtext

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"syscall"
	"time"
)

// dateLayout is the format of a certificate's dates.
const dateLayout = "2006-01-02 15:04Z"

// Peer describes why a peer gave no complete HTTP reply, as a phrase that follows the name of the peer: "does not
// accept connections at 127.0.0.1:8888". address is host:port or the path of a socket. An error of an unknown kind is
// quoted. Peer returns "" for nil.
func Peer(err error, address string) string {
	if err == nil {
		return ""
	}
	if text, ok := peer(err, address); ok {
		return text
	}
	return "cannot be used at " + address + ": " + err.Error()
}

// peer is Peer for an error of a known kind. ok is false for another error.
func peer(err error, address string) (text string, ok bool) {
	for _, describe := range []func(error, string) string{lookup, connection, certificate, handshake, protocol} {
		if text := describe(err, address); text != "" {
			return text, true
		}
	}
	return "", false
}

// lookup describes an error of the name resolution.
func lookup(err error, _ string) string {
	var dns *net.DNSError
	switch {
	case !errors.As(err, &dns):
		return ""
	case dns.IsNotFound:
		return fmt.Sprintf("cannot be found: the name %q does not exist", dns.Name)
	case dns.IsTimeout:
		return fmt.Sprintf("cannot be found: no name server replied in time about the name %q", dns.Name)
	default:
		return fmt.Sprintf("cannot be found: the name server failed to resolve the name %q", dns.Name)
	}
}

// connection describes an error of a connection before, while and after it is open.
func connection(err error, address string) string {
	var timeout net.Error
	var op *net.OpError
	var code syscall.Errno
	dialing := isDial(err)
	switch {
	case errors.Is(err, context.DeadlineExceeded), errors.As(err, &timeout) && timeout.Timeout():
		if dialing {
			return "did not accept a connection at " + address + " in time"
		}
		return "gave no complete reply at " + address + " in time"
	case errors.Is(err, syscall.ECONNREFUSED):
		return "does not accept connections at " + address
	case dialing && errors.Is(err, syscall.ENOENT):
		return "cannot be reached: the socket " + address + " does not exist"
	case dialing && (errors.Is(err, syscall.EACCES) || errors.Is(err, syscall.EPERM)):
		return "cannot be reached at " + address + ": this machine does not permit the connection"
	case dialing && errors.As(err, &code):
		return "cannot be reached at " + address + ": " + code.Error()
	case errors.Is(err, syscall.ECONNRESET), errors.Is(err, syscall.EPIPE):
		return "reset the connection at " + address + " before its reply was complete"
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF),
		strings.Contains(err.Error(), "server closed idle connection"): // of net/http, without a type
		return "closed the connection at " + address + " before its reply was complete"
	case errors.As(err, &op) && errors.As(err, &code):
		return "broke the connection at " + address + ": " + code.Error()
	default:
		return ""
	}
}

// isDial reports whether no connection could be opened.
func isDial(err error) bool {
	var op *net.OpError
	return errors.As(err, &op) && op.Op == "dial"
}

// certificate describes a certificate that was not accepted.
func certificate(err error, address string) string {
	var authority x509.UnknownAuthorityError
	var name x509.HostnameError
	var invalid x509.CertificateInvalidError
	var other *tls.CertificateVerificationError
	switch {
	case errors.As(err, &authority):
		return "has a certificate from an unknown authority at " + address
	case errors.As(err, &name):
		return fmt.Sprintf("has a certificate at %s for %s, not for %q", address, namesOf(name.Certificate), name.Host)
	case errors.As(err, &invalid) && invalid.Reason == x509.Expired && invalid.Cert != nil:
		if begin := invalid.Cert.NotBefore; time.Now().Before(begin) {
			return "has a certificate at " + address + " that is not valid before " + begin.UTC().Format(dateLayout)
		}
		return "has a certificate at " + address + " that expired at " + invalid.Cert.NotAfter.UTC().Format(dateLayout)
	case errors.As(err, &invalid), errors.As(err, &other):
		return "has a certificate at " + address + " that cannot be verified"
	default:
		return ""
	}
}

// maxNames is how many names of a certificate are shown.
const maxNames = 3

// namesOf returns the first names of a certificate.
func namesOf(c *x509.Certificate) string {
	if len(c.DNSNames) == 0 {
		return "no name"
	}
	shown := make([]string, 0, maxNames)
	for _, name := range c.DNSNames[:min(len(c.DNSNames), maxNames)] {
		shown = append(shown, fmt.Sprintf("%.80q", name))
	}
	return strings.Join(shown, ", ")
}

// handshake describes an error of TLS other than a certificate that was not accepted.
func handshake(err error, address string) string {
	var record tls.RecordHeaderError
	var alert tls.AlertError
	switch {
	case errors.As(err, &record), errors.Is(err, http.ErrSchemeMismatch):
		return "does not use TLS at " + address
	case errors.As(err, &alert):
		return "refused the TLS handshake at " + address + ": " + strings.TrimPrefix(alert.Error(), "tls: ")
	}
	// Most errors of TLS have no type. The peer's alerts begin with "remote error".
	before, text, found := strings.Cut(err.Error(), "tls: ")
	switch {
	case !found:
		return ""
	case strings.HasSuffix(before, "remote error: "):
		return "refused the TLS handshake at " + address + ": " + text
	default:
		return "failed the TLS handshake at " + address + ": " + text
	}
}

// protocol describes a reply that is not HTTP. net/http has no error types for it.
func protocol(err error, address string) string {
	switch text := err.Error(); {
	case strings.Contains(text, `malformed HTTP response "\x15\x03`): // an alert of TLS
		return "uses TLS at " + address + ", but was asked without it"
	case strings.Contains(text, "server response headers exceeded"):
		return "sent too large headers at " + address
	case strings.Contains(text, "malformed"), strings.Contains(text, "net/http: "), strings.Contains(text, "chunk"),
		strings.Contains(text, "readLoopPeekFail"): // it sent something before the request
		return "sent no valid HTTP reply at " + address
	default:
		return ""
	}
}
