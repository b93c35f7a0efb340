package collector

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"syscall"

	"github.com/signal-sidecar/signal-sidecar/health"
)

// classify returns the reason why there was no complete HTTP reply.
func classify(err error) health.Failure {
	var dns *net.DNSError
	switch {
	case err == nil:
		return health.NoFailure
	case isLocal(err):
		return health.FailureLocal
	case errors.Is(err, errBodySize):
		return health.FailureBodySize
	case errors.Is(err, errRedirects):
		return health.FailureRedirects
	case errors.Is(err, errInformational):
		return health.FailureProtocol
	case errors.Is(err, errRedirected):
		return health.FailureRedirected
	case isTimeout(err):
		return health.FailureTimeout
	case errors.Is(err, syscall.ECONNREFUSED):
		return health.FailureRefused
	case errors.As(err, &dns):
		return health.FailureResolve
	case isTLS(err):
		return health.FailureTLS
	case errors.Is(err, syscall.ECONNRESET), errors.Is(err, syscall.EPIPE), errors.Is(err, io.EOF),
		errors.Is(err, io.ErrUnexpectedEOF):
		return health.FailureReset
	// net/http has no error types for the following.
	case strings.Contains(err.Error(), "server closed idle connection"):
		return health.FailureReset
	case strings.Contains(err.Error(), "malformed"), strings.Contains(err.Error(), "net/http: "),
		strings.Contains(err.Error(), "chunk"):
		return health.FailureProtocol
	default:
		return health.FailureUnexpected
	}
}

// isLocal reports whether this process or machine lacked the resources to probe.
func isLocal(err error) bool {
	for code := range shortages {
		if lacking(err, code) {
			return true
		}
	}
	return false
}

// shortages are the errors of a process or machine that lacks resources, and their descriptions.
var shortages = map[syscall.Errno]string{
	syscall.EMFILE:        "this process has no free file descriptor",
	syscall.ENFILE:        "this machine has no free file descriptor",
	syscall.ENOMEM:        "this machine has no free memory",
	syscall.ENOBUFS:       "this machine has no free network buffer",
	syscall.EADDRNOTAVAIL: "this machine has no free port, or not the address to connect from",
}

// lacking reports whether an error is due to a shortage.
func lacking(err error, code syscall.Errno) bool {
	var lookup *net.DNSError
	// net.DNSError keeps only the text of an error such as EMFILE.
	return errors.Is(err, code) || errors.As(err, &lookup) && strings.HasSuffix(lookup.Err, code.Error())
}

// conclusive reports whether an observation has information about the node: this process had the resources for each of
// its probes.
func conclusive(o health.Observation) bool {
	for _, r := range o.Results() {
		if r.Outcome == health.Outcome(health.FailureLocal) {
			return false
		}
	}
	return true
}

func isTimeout(err error) bool {
	var timeout net.Error
	return errors.Is(err, context.DeadlineExceeded) || errors.As(err, &timeout) && timeout.Timeout()
}

func isTLS(err error) bool {
	var record tls.RecordHeaderError
	var alert tls.AlertError
	var verify *tls.CertificateVerificationError
	return errors.As(err, &record) || errors.As(err, &alert) || errors.As(err, &verify) ||
		errors.Is(err, http.ErrSchemeMismatch) || strings.Contains(err.Error(), "tls: ") // most TLS errors have no type
}

// retryable reports whether another attempt may help. It does not help after a timeout, because no time is left, nor
// after an HTTP reply.
func retryable(err error) bool {
	return classify(err) != health.FailureTimeout && !refusesAnswer(err) && !errors.Is(err, context.Canceled)
}

// refusesAnswer reports whether an HTTP reply came but was rejected for its size or its redirects.
func refusesAnswer(err error) bool {
	switch classify(err) {
	case health.FailureBodySize, health.FailureRedirects, health.FailureRedirected:
		return true
	default:
		return false
	}
}

// maxDetail is the longest description of a failure, in characters. Some errors quote what the peer sent, up to the
// limit of its headers.
const maxDetail = 300

// bodyError is why a body could not be used: the text for operators, and the error of the decoder.
type bodyError struct {
	text string
	error
}

// Error returns both.
func (e *bodyError) Error() string { return e.text + ": " + e.error.Error() }

// notAnObject returns the error of a body that is not a JSON object.
func notAnObject(body []byte, err error) error {
	var syntax *json.SyntaxError
	begin := bytes.TrimSpace(body[:min(len(body), 40)])
	why := "invalid JSON"
	switch {
	case len(begin) == 0:
		why = "it is empty"
	case begin[0] != '{':
		why = fmt.Sprintf("it begins with %.40q", begin)
	case errors.Is(err, io.ErrUnexpectedEOF), errors.As(err, &syntax) && syntax.Offset == int64(len(body)) &&
		strings.HasPrefix(syntax.Error(), "unexpected end"): // encoding/json has no type for it
		why = fmt.Sprintf("it is cut off after %d bytes", len(body))
	}
	return &bodyError{"not a JSON object: " + why, err}
}

// describe returns the text of an error, without the URL that *url.Error repeats.
func describe(err error) string {
	var request *url.Error
	if errors.As(err, &request) {
		err = request.Err
	}
	return text(fmt.Appendf(nil, "%.*s", maxDetail, err))
}

// problem returns the text of an error on one line, for operators; "" for nil.
func problem(err error) string {
	if err == nil {
		return ""
	}
	if unusable := (*bodyError)(nil); errors.As(err, &unusable) {
		return text([]byte(unusable.text))
	}
	return strings.ReplaceAll(text([]byte(err.Error())), "\n", "; ")
}

// text converts bytes from outside to valid UTF-8 for reports and logs.
func text(b []byte) string { return strings.ToValidUTF8(string(b), "\uFFFD") }
