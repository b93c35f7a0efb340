package agent

import (
	"net"
	"testing"
)

// TestAddressFamilies checks over IPv4 and IPv6, on ports of one family and of both.
func TestAddressFamilies(t *testing.T) {
	for _, c := range []struct{ listen, ask string }{
		{"127.0.0.1:0", "127.0.0.1"},
		{"[::1]:0", "::1"},
		{":0", "127.0.0.1"},
		{":0", "::1"},
		{"0.0.0.0:0", "127.0.0.1"},
	} {
		t.Run(c.listen+" "+c.ask, func(t *testing.T) {
			if probe, err := net.Listen("tcp", net.JoinHostPort(c.ask, "0")); err != nil {
				t.Skipf("this host has no %s: %v", c.ask, err)
			} else {
				probe.Close()
			}
			r := startAgent(t, setup{config: rules, address: c.listen})
			r.upReady()
			_, port, err := net.SplitHostPort(r.address)
			if err != nil {
				t.Fatal(err)
			}
			r.address = net.JoinHostPort(c.ask, port)
			if got := r.check(t); got != "up ready 100%\n" {
				t.Errorf("got %q", got)
			}
		})
	}
}
