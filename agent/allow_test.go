package agent

import (
	"io"
	"net"
	"net/netip"
	"strings"
	"testing"
	"time"

	sdkmetric "go.opentelemetry.io/otel/sdk/metric"

	"github.com/signal-sidecar/signal-sidecar/testbed"
)

// TestAllow checks who gets a reply, on both ports, with an IPv4 listener and with one for IPv6 and IPv4, where the
// addresses of IPv4 clients are IPv4-mapped.
func TestAllow(t *testing.T) {
	for _, c := range []struct {
		allow   string
		allowed bool
	}{
		{"127.0.0.0/8", true}, {"127.0.0.1/32", true}, {"0.0.0.0/0", true},
		{"10.0.0.0/8", false}, {"::1/128", false}, {"::/0", false}, {"127.0.0.2/32", false},
	} {
		for _, address := range []string{"127.0.0.1:0", "[::]:0"} {
			for _, hold := range []time.Duration{0, time.Hour} {
				reader := sdkmetric.NewManualReader()
				r := startAgent(t, setup{
					config: rules, address: address, hold: hold, allow: []netip.Prefix{netip.MustParsePrefix(c.allow)},
					meters: sdkmetric.NewMeterProvider(sdkmetric.WithReader(reader)),
				})
				r.upReady()
				port := "agent"
				if hold > 0 {
					port = "hold"
				}
				if n, ok := collect(t, reader)["signal.agent.refused "+port]; n != 0 || !ok {
					t.Errorf("%s, %s: %d refused connections at the start, %t", c.allow, port, n, ok)
				}
				want, refused := "up ready 100%\n", int64(0)
				if !c.allowed {
					want, refused = "", 3
				}
				for range 3 {
					if got := r.checkFromIPv4(t); got != want {
						t.Errorf("%s, %s, %s: got %q", c.allow, address, port, got)
					}
				}
				testbed.Eventually(t, "the refused connections to be counted", bound, func() bool {
					return collect(t, reader)["signal.agent.refused "+port] == refused
				})
				lines := strings.Count(r.log.String(), "agent connections are refused")
				if c.allowed && lines != 0 || !c.allowed && lines != 1 {
					t.Errorf("%s: %d log lines: %s", c.allow, lines, r.log)
				}
			}
		}
	}
}

// checkFromIPv4 makes a check from 127.0.0.1. A reset counts as no reply.
func (r *runningAgent) checkFromIPv4(t *testing.T) string {
	t.Helper()
	_, port, _ := net.SplitHostPort(r.address)
	r.address = net.JoinHostPort("127.0.0.1", port)
	reply, _ := io.ReadAll(r.dial(t))
	return string(reply)
}
