package collector

import (
	"errors"
	"fmt"
	"net"
	"net/url"
	"syscall"

	"github.com/signal-sidecar/signal-sidecar/errtext"
	"github.com/signal-sidecar/signal-sidecar/health"
)

// detail describes why there was no complete reply, as a phrase that follows the name of the service. Each text that
// operators read about a failed probe comes from here.
func (p *httpProbe) detail(r trial) string {
	switch classify(r.err) {
	case health.FailureTimeout:
		return p.timeoutDetail(r)
	case health.FailureLocal:
		return "was not probed: " + shortage(r.err)
	case health.FailureBodySize:
		return fmt.Sprintf("sent a body of more than %s at %s", size(p.limit), r.address)
	case health.FailureRedirects:
		return fmt.Sprintf("redirected more than %d times at %s", maxRedirects, r.address)
	case health.FailureRedirected:
		return describe(r.err)
	}
	if errors.Is(r.err, errInformational) {
		return fmt.Sprintf("sent %s at %s", errInformational, r.address)
	}
	return text(fmt.Appendf(nil, "%.*s", maxDetail, errtext.Peer(r.err, r.address)))
}

// timeoutDetail describes a timeout by the phase in which it occurred.
func (p *httpProbe) timeoutDetail(r trial) string {
	switch {
	case r.phase == phaseResolve:
		host, _, _ := net.SplitHostPort(r.address)
		return fmt.Sprintf("cannot be found: the name %q was not resolved within %s", host, p.timeout)
	case errors.Is(r.err, syscall.ETIMEDOUT): // the kernel's timeout
		return errtext.Peer(r.err, r.address)
	case r.phase == phaseConnect:
		return fmt.Sprintf("did not accept a connection at %s within %s", r.address, p.timeout)
	case r.phase == phaseHandshake:
		return fmt.Sprintf("did not complete the TLS handshake at %s within %s", r.address, p.timeout)
	case r.phase == phaseBody:
		return fmt.Sprintf("did not complete its reply at %s within %s", r.address, p.timeout)
	default:
		return fmt.Sprintf("gave no reply at %s within %s", r.address, p.timeout)
	}
}

// shortage describes which resource this process or machine lacked.
func shortage(err error) string {
	for code, lacks := range shortages {
		if lacking(err, code) {
			return lacks
		}
	}
	return "this machine lacks a resource"
}

// size returns a number of bytes as text: 64 KiB.
func size(bytes int64) string {
	switch {
	case bytes >= 1<<20 && bytes%(1<<20) == 0:
		return fmt.Sprintf("%d MiB", bytes>>20)
	case bytes >= 1<<10 && bytes%(1<<10) == 0:
		return fmt.Sprintf("%d KiB", bytes>>10)
	default:
		return fmt.Sprintf("%d bytes", bytes)
	}
}

// requested returns host:port of the request that failed, which may have followed a redirect from the first one.
func requested(err error, first *url.URL) string {
	if request := (*url.Error)(nil); errors.As(err, &request) {
		if last, parseErr := url.Parse(request.URL); parseErr == nil && last.Host != "" {
			return errtext.Address(last)
		}
	}
	return errtext.Address(first)
}
