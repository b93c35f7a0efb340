package main

import (
	"errors"
	"fmt"
	"regexp"
	"strings"

	"github.com/alecthomas/kong"

	"github.com/signal-sidecar/signal-sidecar/config"
	"github.com/signal-sidecar/signal-sidecar/consul"
	"github.com/signal-sidecar/signal-sidecar/fleet"
)

const (
	// maxFleetAnswer limits an answer of Consul in bytes: a list of all reports.
	maxFleetAnswer = 512 << 20
	// staleAfter is after how many CONSUL_REPORTS_INTERVALs a report is stale.
	staleAfter = 3
)

// fleetFlags are the flags of all commands that look at a fleet.
type fleetFlags struct {
	Environment   string   `placeholder:"NAME" help:"Use only the shards of this environment."`
	Datacenter    string   `placeholder:"NAME" help:"Datacenter of Consul, or all (fleet only); by default that of the Consul agent."`
	HAProxy       []string `name:"haproxy" sep:"none" placeholder:"URL" help:"Statistics of an HAProxy: the URL of its CSV, such as http://lb1:8404/;csv (with user:password@ if needed), or unix: and the path of its stats socket. Can be given more than once."`
	ServerPattern string   `name:"haproxy-server-pattern" placeholder:"REGEXP" help:"Regular expression for the names of HAProxy's servers; its first group is the name of the shard. By default a server has the name of its shard."`
	CAFile        string   `name:"haproxy-ca-file" placeholder:"FILE" help:"CA certificates (PEM) for the https URL of an HAProxy; by default the system's."`
	CheckTime     string   `name:"check-time" default:"2" placeholder:"SECONDS" help:"How long HAProxy may show another state than the shard before it counts as a disagreement: HAProxy's agent-inter."`
}

// options returns how the fleet is read. It reads the settings of Consul. The flags' problems are listed with those of
// the settings.
func (f fleetFlags) options(line *kong.Context, env *config.Environment) (o fleet.Options, err error) {
	c, err := config.LoadForConsul(line, env)
	problems := []error{err}
	bad := func(name, text string, accepted error) {
		problems = append(problems, config.NewError(name, text, "flag", accepted))
	}
	o = fleet.Options{
		Datacenter: f.Datacenter, Environment: f.Environment, StaleAfter: staleAfter * c.Consul.Interval,
		Address: fleet.ShownAddress(c.Consul.Client.URL),
	}
	if strings.Contains(f.Environment, "/") {
		bad("--environment", f.Environment, errEnvironment)
	}
	if o.CheckTime, err = config.Seconds(f.CheckTime); err != nil {
		bad("--check-time", f.CheckTime, err)
	}
	if f.ServerPattern != "" {
		o.ServerPattern, err = regexp.Compile(f.ServerPattern)
		if err != nil || o.ServerPattern.NumSubexp() == 0 {
			bad("--haproxy-server-pattern", f.ServerPattern, errPattern)
		}
	}
	if o.HAProxys, err = f.haproxys(); err != nil {
		problems = append(problems, err)
	}
	if err := errors.Join(problems...); err != nil {
		return o, err
	}
	client := consulClientOptions(c.Consul.Client)
	client.MaxAnswer = maxFleetAnswer
	o.Client, err = consul.NewClient(client)
	return o, err
}

// haproxys parses the flags about HAProxys.
func (f fleetFlags) haproxys() (all []*fleet.HAProxy, err error) {
	roots, err := fleet.ReadRoots(f.CAFile)
	if err != nil {
		return nil, config.NewError("--haproxy-ca-file", f.CAFile, "flag",
			fmt.Errorf("a file of CA certificates: %w", err))
	}
	var problems []error
	for _, text := range f.HAProxy {
		h, err := fleet.ParseHAProxy(text, roots)
		if err != nil {
			problems = append(problems, config.NewError("--haproxy", text, "flag", err))
			continue
		}
		all = append(all, h)
	}
	return all, errors.Join(problems...)
}
