package main

import (
	"context"
	"net"

	"github.com/signal-sidecar/signal-sidecar/config"
	"github.com/signal-sidecar/signal-sidecar/errtext"
	"github.com/signal-sidecar/signal-sidecar/systemd"
)

// listen opens the ports, except those whose sockets systemd passed. Its error names the setting of the port that could
// not be opened.
func (s *sidecar) listen(ctx context.Context, c config.Config) error {
	given, err := systemd.TakeSockets()
	if err != nil {
		return err
	}
	agents := net.ListenConfig{KeepAlive: -1} // agent connections are short; this saves four system calls for each
	plain := func(ctx context.Context, address string) (net.Listener, error) {
		return new(net.ListenConfig).Listen(ctx, "tcp", address)
	}
	agent := func(ctx context.Context, address string) (net.Listener, error) {
		return agents.Listen(ctx, "tcp", address)
	}
	ports := []struct {
		setting, socket, address string
		listener                 *net.Listener
		open                     func(ctx context.Context, address string) (net.Listener, error)
	}{
		{"TCP_PORT", systemd.SocketAgent, c.TCPAddress, &s.tcp, agent},
		{"TCP_HOLD_PORT", systemd.SocketAgentHold, c.HoldAddress, &s.held, agent},
		{"HTTP_PORT", systemd.SocketHTTP, c.HTTPAddress, &s.http, plain},
		{"PAGE_PORT", systemd.SocketPage, c.PageAddress, &s.pagePort, listenForBrowsers},
	}
	for _, p := range ports { // all of them first: closeListeners closes what is set
		if l := given[p.socket]; l != nil {
			*p.listener = l
			s.log.InfoContext(ctx, "listening on the socket that systemd passed",
				"socket", p.socket, "address", l.Addr().String(), "instead_of", p.setting)
		}
	}
	for _, p := range ports {
		if *p.listener != nil || p.address == "" {
			continue
		}
		if *p.listener, err = p.open(ctx, p.address); err != nil {
			return &errtext.Error{Text: p.setting + ": " + errtext.Listen(err), Err: err}
		}
	}
	return nil
}
