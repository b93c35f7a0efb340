package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/signal-sidecar/signal-sidecar/config"
	"github.com/signal-sidecar/signal-sidecar/signalnode"
)

var errDemoShards = fmt.Errorf("a number of shards, 1 to %d", maxDemoShards)

const (
	maxDemoShards = 50
	// demoReports is CONSUL_REPORTS_INTERVAL of the demo's sidecars.
	demoReports = 5 * time.Second
	// demoConsul is the address of the stand-in for Consul, if its port is free.
	demoConsul = "127.0.0.1:8500"
)

const demoFleetGuide = `
{{len .Shards}} sidecars watch a simulated signal node each. A stand-in for Consul has their wanted states and reports.
They poll every {{.Poll}}, and drain for {{.Grace}} before a failing jicofo counts as down (DRAIN_GRACE_INTERVAL).
A node stays down for {{.Dampening}} after its last failure (HEALTH_DAMPENING_INTERVAL).
Open the first in a browser; try the others in another terminal, and begin with the export:

  the fleet's page        http://{{.Page}}/fleet
  where Consul is         export CONSUL_HTTP_ADDR=http://{{.Consul}}
  the fleet               {{.Command}} fleet
                          all {{len .Shards}} shards are ready, with 10 users each
  follow it               {{.Command}} fleet --watch
                          the same table, each change within a second; Ctrl-C ends it
{{- if .Second}}

  drain {{.Second.Name}}            {{.Command}} drain {{.Second.Name}} --reason 'new kernel' --wait reported
                          within 2 s it returns; the page and the table show drain, who did it, and why
  wait for its users      {{.Command}} drain {{.Second.Name}} --wait empty --timeout 60
                          it waits until they have left, and returns within {{.Empty}} after that, or with
                          exit code 3 after 60 s; let them leave in a third terminal:
                          curl -d 0 http://{{.Second.Control}}/load
  take it back            {{.Command}} ready {{.Second.Name}} --wait reported
                          within 2 s it returns, and the shard is ready
{{- end}}

  drain all               {{.Command}} drain{{range .Shards}} {{.Name}}{{end}}
                          refused, with exit code 1: no ready shard would be left
  break {{.Last.Name}}            curl -d 'code 503' http://{{.Last.Control}}/jicofo
                          within {{.Poll}} it drains; {{.Grace}} later it is down
  heal it                 curl -d recover http://{{.Last.Control}}/jicofo
                          if it only drained: ready within {{.Recovery}};
                          if it was down: ready {{.Dampening}} after the last failure
  as JSON                 curl -s http://{{.Page}}/fleet.json
  what Consul has         curl -s 'http://{{.Consul}}/v1/kv/?keys'

End with Ctrl-C. Changes of the verdicts are logged here.

`

// demoShard is what the guide of the fleet names of a shard.
type demoShard struct{ Name, Control string }

// demoFleetPlaces is what the guide of the fleet names.
type demoFleetPlaces struct {
	Page, Consul, Command string

	Poll, Grace, Dampening, Recovery, Empty time.Duration

	Shards []demoShard
}

// Last returns the last shard.
func (p demoFleetPlaces) Last() demoShard { return p.Shards[len(p.Shards)-1] }

// Second returns the second shard, nil if it is the last or there is none.
func (p demoFleetPlaces) Second() *demoShard {
	if len(p.Shards) < 2 {
		return nil
	}
	return &p.Shards[1]
}

// demoFleet is a fleet of simulated shards with sidecars, and the Consul that they use.
type demoFleet struct {
	config config.Config
	std    streams
	folder string // of the status files
	consul *signalnode.Consul

	mu      sync.Mutex
	places  demoFleetPlaces
	started int
}

// run runs the fleet until ctx ends or a part fails.
func (f *demoFleet) run(ctx context.Context, shards int) (err error) {
	f.folder, err = os.MkdirTemp("", "signal-sidecar-demo-")
	if err != nil {
		return fmt.Errorf("make a folder for the status files: %w", err)
	}
	defer func() { err = errors.Join(err, os.RemoveAll(f.folder)) }()
	f.consul = signalnode.NewConsul()
	address, stop, err := serveLocally(ctx, f.consul, freeAddress(demoConsul))
	if err != nil {
		return fmt.Errorf("stand-in for Consul: %w", err)
	}
	defer stop()
	shortenIntervals(&f.config)
	f.places = demoFleetPlaces{
		Consul: address, Command: commandName(), Shards: make([]demoShard, shards),
		Poll: f.config.Interval, Grace: f.config.Rules.DrainGrace, Dampening: f.config.Rules.HealthDampening,
		Recovery: min(f.config.Recovery, f.config.Interval), Empty: 2*demoReports + f.config.Interval,
	}
	group, ctx := errgroup.WithContext(ctx)
	for i := range shards {
		group.Go(func() error { return f.runShard(ctx, i) })
	}
	return group.Wait()
}

// runShard runs a simulated node with its sidecar until ctx ends.
func (f *demoFleet) runShard(ctx context.Context, i int) (err error) {
	name := "shard" + strconv.Itoa(i+1)
	node, err := signalnode.Start()
	if err != nil {
		return fmt.Errorf("start the simulated node of %s: %w", name, err)
	}
	defer func() { err = errors.Join(err, node.Close()) }()
	control, stop, err := serveControl(ctx, node, "127.0.0.1:0")
	if err != nil {
		return err
	}
	defer stop()
	c := f.shardConfig(name, i == 0, node)
	if err := os.WriteFile(c.StatusPath, []byte("ready\n"), 0o600); err != nil {
		return fmt.Errorf("write the status file of %s: %w", name, err)
	}
	f.consul.Datacenter("").Put(c.Consul.StatusKey, "ready")
	out := prefixed{f.std.stderr, name + " "}
	return serve(ctx, c, out, func(s *sidecar) { f.ready(i, demoShard{name, control}, s) })
}

// shardConfig returns the settings of a shard's sidecar. Only the first has a page port and the page of the fleet.
func (f *demoFleet) shardConfig(name string, first bool, node *signalnode.Node) config.Config {
	c := f.config
	if !first {
		c.HTTPAddress, c.TCPAddress, c.PageAddress = "127.0.0.1:0", "127.0.0.1:0", "127.0.0.1:0"
		if c.HoldAddress != "" {
			c.HoldAddress = "127.0.0.1:0"
		}
	}
	c.StatusPath = filepath.Join(f.folder, name)
	c.StatePath, c.RecordPath = "", "" // one file for all would not do
	simulate(&c, node)
	c.Consul.Client = config.ConsulClient{URL: "http://" + f.places.Consul}
	c.Consul.Status, c.Consul.StatusKey = true, "shard-states/demo/"+name
	c.Consul.Reports, c.Consul.ReportKey, c.Consul.Interval = true, "signal-report/demo/"+name, demoReports
	c.Consul.Fleet = first
	return c
}

// ready registers a shard whose ports are open. It prints the guide when all are.
func (f *demoFleet) ready(i int, shard demoShard, s *sidecar) {
	_, port, _ := net.SplitHostPort(s.pagePort.Addr().String())
	f.consul.Datacenter("").Register(signalnode.Instance{
		Service: "signal", ID: "signal-" + shard.Name, Node: shard.Name, NodeAddress: "127.0.0.1",
		Meta: map[string]string{
			"environment": "demo", "shard": shard.Name, "release_number": "1",
			"signal_sidecar_http_ip": "127.0.0.1", "signal_sidecar_http_port": port,
		},
	})
	f.mu.Lock()
	defer f.mu.Unlock()
	f.places.Shards[i] = shard
	if i == 0 {
		f.places.Page = forBrowser(s.pagePort.Addr())
	}
	if f.started++; f.started == len(f.places.Shards) {
		_ = printTemplate(f.std, demoFleetGuide, f.places)
	}
}

// commandName returns how this program can be called: by its name if that finds it, else by its path.
func commandName() string {
	path, err := os.Executable()
	if err != nil {
		return "signal-sidecar"
	}
	if found, err := exec.LookPath("signal-sidecar"); err == nil {
		if resolved, err := filepath.EvalSymlinks(found); err == nil && resolved == path {
			return "signal-sidecar"
		}
	}
	return path
}

// prefixed writes a prefix before each line. Each call of Write must have one line.
type prefixed struct {
	to     io.Writer
	prefix string
}

// Write implements io.Writer.
func (p prefixed) Write(line []byte) (int, error) {
	if _, err := p.to.Write(append([]byte(p.prefix), line...)); err != nil {
		return 0, err
	}
	return len(line), nil
}
