package main

import (
	"context"
	"net"

	"github.com/signal-sidecar/signal-sidecar/config"
)

// listenForBrowsers listens on the address. For port 0 it chooses a free port that browsers do not block.
func listenForBrowsers(ctx context.Context, address string) (net.Listener, error) {
	_, port, _ := net.SplitHostPort(address)
	var blocked []net.Listener // kept open so that the kernel does not choose them again
	defer func() {
		for _, l := range blocked {
			_ = l.Close()
		}
	}()
	for {
		l, err := new(net.ListenConfig).Listen(ctx, "tcp", address)
		if err != nil || port != "0" || !config.BlockedInBrowsers(l.Addr().(*net.TCPAddr).Port) {
			return l, err
		}
		blocked = append(blocked, l)
	}
}
