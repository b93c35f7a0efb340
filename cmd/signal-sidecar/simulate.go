package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strings"

	"github.com/signal-sidecar/signal-sidecar/config"
	"github.com/signal-sidecar/signal-sidecar/signalnode"
)

// simulateCommand runs a simulated signal node, for a sidecar that runs elsewhere. Any client that can reach its
// control endpoint can break the node, so all addresses are on loopback by default.
type simulateCommand struct {
	JicofoAddr  string `default:"127.0.0.1:8888" placeholder:"HOST:PORT" help:"Address of jicofo; by default 127.0.0.1:8888."`
	ProsodyAddr string `default:"127.0.0.1:5280" placeholder:"HOST:PORT" help:"Address of prosody; by default 127.0.0.1:5280."`
	Domain      string `default:"meet.example.com" placeholder:"DOMAIN" help:"The domain that prosody serves, which the sidecar needs as CENSUS_HOST; by default meet.example.com."`
	ControlAddr string `default:"127.0.0.1:8899" placeholder:"HOST:PORT" help:"Address of the HTTP interface that changes the behavior of the node; by default 127.0.0.1:8899."`
}

func (s simulateCommand) Run(ctx context.Context, std streams) (err error) {
	if err := s.check(); err != nil {
		return err
	}
	node, err := signalnode.StartAt(s.JicofoAddr, s.ProsodyAddr)
	if err != nil {
		return fmt.Errorf("start the simulated node: %w", err)
	}
	defer func() { err = errors.Join(err, node.Close()) }()
	node.SetDomain(s.Domain)
	control, stop, err := serveControl(ctx, node, s.ControlAddr)
	if err != nil {
		return err
	}
	defer stop()
	if _, err := fmt.Fprintf(std.stdout, "simulated signal node: jicofo %s, prosody %s, all the ways to fail http://%s/\n",
		node.Jicofo.Origin(), node.Prosody.Origin(), control); err != nil {
		return err
	}
	<-ctx.Done()
	return nil
}

// check returns an error for each flag that is not a valid address.
func (s simulateCommand) check() error {
	var problems []error
	for _, given := range []struct{ flag, address string }{
		{"--jicofo-addr", s.JicofoAddr}, {"--prosody-addr", s.ProsodyAddr}, {"--control-addr", s.ControlAddr},
	} {
		host, number, err := net.SplitHostPort(given.address)
		if err == nil {
			_, err = config.Port(number)
		}
		if err != nil || strings.TrimSpace(host) != host {
			problems = append(problems, config.NewError(given.flag, given.address, "flag", errListenAddress))
		}
	}
	return errors.Join(problems...)
}

var errListenAddress = errors.New("an address to listen on, host:port, such as 127.0.0.1:8888 or :8888")
