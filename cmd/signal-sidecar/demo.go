package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/alecthomas/kong"

	"github.com/signal-sidecar/signal-sidecar/config"
	"github.com/signal-sidecar/signal-sidecar/signalnode"
)

// demoCommand runs a sidecar beside a simulated signal node, or a fleet of them, on loopback only.
type demoCommand struct {
	Fleet string `placeholder:"N" help:"Run N shards, 1 to 50, that follow and report to a stand-in for Consul, to try fleet, drain, ready and maint."`
}

const demoGuide = `
signal-sidecar watches a simulated signal node. Open the first in a browser; try the others in another terminal:

  the status page         http://{{.Page}}/
  the reply to HAProxy    curl -s telnet://{{.Agent}} </dev/null
{{- with .Held}}
  and when it changes     curl -s telnet://{{.}} </dev/null
{{- end}}
  the health as a code    curl -i http://{{.HTTP}}/signal/health
  the whole report        curl -s http://{{.HTTP}}/signal/report
  the rooms               curl -s http://{{.HTTP}}/signal/census
  the metrics             curl -s http://{{.HTTP}}/metrics

  drain the node          echo drain > {{.StatusPath}}
  take it back            echo ready > {{.StatusPath}}

  overload jicofo         curl -d 'code 503' http://{{.Control}}/jicofo
  kill jicofo             curl -d crash http://{{.Control}}/jicofo
  hang prosody            curl -d hang http://{{.Control}}/prosody
  heal them               curl -d recover http://{{.Control}}/jicofo
                          curl -d recover http://{{.Control}}/prosody
  fill the node           curl -d 6000 http://{{.Control}}/load
  all the ways to fail    curl http://{{.Control}}/

End with Ctrl-C. Changes of the verdict are logged here.

`

// demoPlaces contains the addresses and the path that the guide names.
type demoPlaces struct{ Page, HTTP, Agent, Held, Control, StatusPath string }

func (d demoCommand) Run(ctx context.Context, line *kong.Context, env *config.Environment, std streams) (err error) {
	c, err := config.Load(line, env)
	if err != nil {
		return err
	}
	if d.Fleet != "" {
		shards, err := strconv.Atoi(d.Fleet)
		if err != nil || shards < 1 || shards > maxDemoShards {
			return config.NewError("--fleet", d.Fleet, "flag", errDemoShards)
		}
		return (&demoFleet{config: c, std: std}).run(ctx, shards)
	}
	node, err := signalnode.Start()
	if err != nil {
		return fmt.Errorf("start the simulated node: %w", err)
	}
	defer func() { err = errors.Join(err, node.Close()) }()
	control, stop, err := serveControl(ctx, node, "127.0.0.1:0")
	if err != nil {
		return err
	}
	defer stop()
	folder, err := os.MkdirTemp("", "signal-sidecar-demo-")
	if err != nil {
		return fmt.Errorf("make a folder for the status file: %w", err)
	}
	defer func() { err = errors.Join(err, os.RemoveAll(folder)) }()
	c.StatusPath = filepath.Join(folder, "shard-status")
	if err := os.WriteFile(c.StatusPath, []byte("ready\n"), 0o600); err != nil {
		return fmt.Errorf("write the status file: %w", err)
	}
	simulate(&c, node)

	return serve(ctx, c, std.stderr, func(s *sidecar) {
		places := demoPlaces{
			Page: forBrowser(s.pagePort.Addr()), HTTP: s.http.Addr().String(), Agent: s.tcp.Addr().String(),
			Control: control, StatusPath: c.StatusPath,
		}
		if s.held != nil {
			places.Held = s.held.Addr().String()
		}
		_ = printTemplate(std, demoGuide, places)
	})
}

// simulate points the settings at the simulated node and at free ports.
func simulate(c *config.Config, node *signalnode.Node) {
	c.JicofoOrigin, c.ProsodyOrigin = node.Jicofo.Origin(), node.Prosody.Origin()
	c.Rules.Census, c.CensusHost = true, signalnode.Domain
	c.LogFormat = "text"
	c.WebConfigFile, c.HTTPHosts, c.TCPAllow = "", nil, nil // the guide's commands are for open ports
	c.HTTPAddress, c.TCPAddress = freeAddress(c.HTTPAddress), freeAddress(c.TCPAddress)
	if c.HoldAddress != "" {
		c.HoldAddress = freeAddress(c.HoldAddress)
	}
	if c.PageAddress == "" {
		host, _, _ := net.SplitHostPort(c.HTTPAddress)
		c.PageAddress = config.JoinAddress(host, demoPagePort)
	}
	c.PageAddress = freeAddress(c.PageAddress)
	// The other ports are not open yet, so freeAddress may have returned one of them.
	if slices.Contains([]string{c.HTTPAddress, c.TCPAddress, c.HoldAddress}, c.PageAddress) {
		host, _, _ := net.SplitHostPort(c.PageAddress)
		c.PageAddress = config.JoinAddress(host, 0)
	}
}

// demoPagePort is the port of the demo's status page, if it is free and PAGE_PORT sets no other.
const demoPagePort = 6001

// forBrowser returns an address as people type it.
func forBrowser(address net.Addr) string {
	host, port, _ := net.SplitHostPort(address.String())
	if host == "127.0.0.1" {
		host = "localhost"
	}
	return net.JoinHostPort(host, port)
}

// freeAddress returns the address on loopback if its port is free, else one with a port that the kernel chooses when it
// is bound.
func freeAddress(address string) string {
	host, port, _ := net.SplitHostPort(address)
	if host == "" {
		host = "127.0.0.1"
	}
	address = net.JoinHostPort(host, port)
	l, err := net.Listen("tcp", address) //nolint:noctx // loopback, at once
	if err != nil {
		return net.JoinHostPort(host, "0")
	}
	_ = l.Close()
	return address
}

// serveControl serves the simulator's control endpoint at an address until stop is called.
func serveControl(ctx context.Context, node *signalnode.Node, address string) (bound string, stop func(), err error) {
	bound, stop, err = serveLocally(ctx, node.Control(), address)
	if err != nil {
		return "", nil, fmt.Errorf("control of the simulated node: %w", err)
	}
	return bound, stop, nil
}

// serveLocally serves a handler until stop is called, which ends the requests that are being answered.
func serveLocally(ctx context.Context, h http.Handler, address string) (bound string, stop func(), err error) {
	l, err := new(net.ListenConfig).Listen(ctx, "tcp", address)
	if err != nil {
		return "", nil, err
	}
	server := &http.Server{Handler: h, ReadTimeout: 5 * time.Second}
	var serving sync.WaitGroup
	serving.Go(func() { _ = server.Serve(l) })
	return l.Addr().String(), func() {
		_ = server.Close()
		serving.Wait()
	}, nil
}
