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
	Fleet string `placeholder:"N" help:"Run N shards (1 to 50) with a stand-in for Consul, to try fleet, drain, ready and maint."`
}

const demoGuide = `
signal-sidecar watches a simulated signal node. It polls every {{.Poll}}, drains for {{.Grace}} before a failing
jicofo counts as down (DRAIN_GRACE_INTERVAL), and stays down for {{.Dampening}} after the last failure
(HEALTH_DAMPENING_INTERVAL).
Open the page in a browser, and try the commands in another terminal:

  the status page         http://{{.Page}}/
                          it shows each change below at once

LOOK
  the state in words      {{.Program}} status --url http://{{.HTTP}}
                          the reply to HAProxy, the reasons, and what comes next and when;
                          with --watch each change, until Ctrl-C
  the same as JSON        curl -s http://{{.HTTP}}/signal/explain
                          with the original error of a probe that failed
  what happened           curl -s 'http://{{.HTTP}}/signal/history?since=5m'
                          each observation, each change, and the last failures of each probe
  the reply to HAProxy    curl -s telnet://{{.Agent}} </dev/null
                          one line: up ready 100%
{{- with .Held}}
  and when it changes     curl -s telnet://{{.}} </dev/null
                          the same line, once it changes, or after AGENT_HOLD
{{- end}}
  the health as a code    curl -i http://{{.HTTP}}/signal/health
                          200 up, 503 down; the headers have the state and the reason
  the whole report        curl -s http://{{.HTTP}}/signal/report
                          what scripts read: the state, the services, participants and conferences
  the rooms               curl -s http://{{.HTTP}}/signal/census
                          the census of prosody: three rooms
  some metrics            curl -s http://{{.HTTP}}/metrics | grep -E '^signal_(health|verdict_status|verdict_weight)'
                          signal_health 1, the drain state, and the weight

DRAIN IT
  drain the node          echo drain > {{.StatusPath}}
                          at once: up drain 0%
  take it back            echo ready > {{.StatusPath}}
                          at once: up ready 100%

BREAK IT
  overload jicofo         curl -d 'code 503' http://{{.Control}}/jicofo
                          within {{.Poll}}: up drain 0%; {{.Grace}} later: down
  heal it                 curl -d recover http://{{.Control}}/jicofo
                          if it only drained: up within {{.Recovery}};
                          if it was down: up {{.Dampening}} after the last failure
  kill jicofo             curl -d crash http://{{.Control}}/jicofo
                          at once: up drain 0%; {{.Grace}} later: down; "heal it" starts it again
  hang prosody            curl -d hang http://{{.Control}}/prosody
                          within {{.Hang}} (a poll and PROBE_TIMEOUT): up drain 0%; {{.Grace}} later: down
  wake it                 curl -d recover http://{{.Control}}/prosody
                          as with "heal it"
  fill the node           curl -d 6000 http://{{.Control}}/load
                          within {{.Poll}}: up drain 0%, because of more than {{.Max}} participants (PARTICIPANT_MAX)
  empty it                curl -d 10 http://{{.Control}}/load
                          within {{.Poll}}: up ready 100%
  all the ways to fail    curl http://{{.Control}}/
                          the commands of the simulated node, with what each does

{{with .Record}}WHAT IF
  replay what you did     {{$.Program}} replay {{.}} --set DRAIN_GRACE_INTERVAL=15
                          two timelines side by side: what was, and what would have been with a shorter grace

{{end}}NEXT
  many shards             {{.Program}} demo --fleet 5
                          a page of five shards, to drain and put into service
  the whole stack         README.md, "Run the whole stack with docker compose"
                          a walk with HAProxy, Prometheus, Grafana, Jaeger and Consul

End with Ctrl-C. Changes of the verdict are logged here.

`

// demoPlaces contains the addresses, paths and intervals that the guide names.
type demoPlaces struct {
	Program, Page, HTTP, Agent, Held, Control, StatusPath, Record string

	Poll, Grace, Dampening time.Duration
	// Recovery is how soon a recovered service is observed, Hang how soon a service that hangs.
	Recovery, Hang time.Duration

	Max float64 // participants
}

// The demo's intervals, where none is set: short, so that each effect can be awaited.
const (
	demoPoll      = 2 * time.Second
	demoGrace     = 30 * time.Second
	demoDampening = 10 * time.Second
)

// shortenIntervals sets the demo's intervals where none is set.
func shortenIntervals(c *config.Config) {
	if c.IsDefault("POLLING_INTERVAL") {
		c.Interval = demoPoll
	}
	if c.IsDefault("DRAIN_GRACE_INTERVAL") && c.IsDefault("HEALTH_DAMPENING_INTERVAL") {
		c.Rules.DrainGrace, c.Rules.HealthDampening = demoGrace, demoDampening
	}
}

// program returns the path of this program, for commands that people copy. go run builds it in a folder of its own.
func program() string {
	if path, err := os.Executable(); err == nil {
		return path
	}
	return "signal-sidecar"
}

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
	shortenIntervals(&c)
	if c.RecordPath == "" {
		c.RecordPath = filepath.Join(folder, "recording.jsonl")
	}

	return serve(ctx, c, std.stderr, func(s *sidecar) {
		places := demoPlaces{
			Page: forBrowser(s.pagePort.Addr()), HTTP: s.http.Addr().String(), Agent: s.tcp.Addr().String(),
			Control: control, StatusPath: c.StatusPath, Record: c.RecordPath, Program: program(),
			Poll: c.Interval, Grace: c.Rules.DrainGrace, Dampening: c.Rules.HealthDampening,
			Recovery: min(c.Recovery, c.Interval), Hang: c.Interval + c.Timeout, Max: c.Rules.ParticipantMax,
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
