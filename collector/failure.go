package collector

import (
	"context"
	"crypto/tls"
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

// classify names why there was no complete HTTP answer.
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
	case errors.Is(err, syscall.ECONNRESET), errors.Is(err, syscall.EPIPE), errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return health.FailureReset
	// net/http has no error types for the following.
	case strings.Contains(err.Error(), "server closed idle connection"):
		return health.FailureReset
	case strings.Contains(err.Error(), "malformed"), strings.Contains(err.Error(), "net/http: "), strings.Contains(err.Error(), "chunk"):
		return health.FailureProtocol
	default:
		return health.FailureUnexpected
	}
}

// isLocal reports whether it was this process or machine that had no means left to ask.
func isLocal(err error) bool {
	for _, code := range []syscall.Errno{syscall.EMFILE, syscall.ENFILE, syscall.ENOMEM, syscall.ENOBUFS, syscall.EADDRNOTAVAIL} {
		if errors.Is(err, code) {
			return true
		}
	}
	return false
}

// conclusive reports whether an observation says anything about the node: whether each of its probes could ask.
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
		errors.Is(err, http.ErrSchemeMismatch) || strings.Contains(err.Error(), "tls: ") // most have no type of their own
}

// retryable reports whether another try may help: not after a timeout, which has used up the time, and not after an
// HTTP answer.
func retryable(err error) bool {
	return classify(err) != health.FailureTimeout && !refusesAnswer(err) && !errors.Is(err, context.Canceled)
}

// refusesAnswer reports whether an HTTP answer came and was not taken, for its size or its redirects.
func refusesAnswer(err error) bool {
	switch classify(err) {
	case health.FailureBodySize, health.FailureRedirects, health.FailureRedirected:
		return true
	default:
		return false
	}
}

// maxDetail bounds, in characters, the words about a failure: some errors quote what the peer sent, up to its headers'
// limit.
const maxDetail = 300

// describe is an error in words, without the URL that *url.Error repeats.
func describe(err error) string {
	var request *url.Error
	if errors.As(err, &request) {
		err = request.Err
	}
	return text(fmt.Appendf(nil, "%.*s", maxDetail, err))
}

// problem is an error's text, "" for none.
func problem(err error) string {
	if err == nil {
		return ""
	}
	return strings.ReplaceAll(text([]byte(err.Error())), "\n", "; ")
}

// text makes bytes from outside fit for reports and logs.
func text(b []byte) string { return strings.ToValidUTF8(string(b), "\uFFFD") }
