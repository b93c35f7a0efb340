package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"os/user"
	"strings"
	"time"

	"github.com/alecthomas/kong"

	"github.com/signal-sidecar/signal-sidecar/config"
	"github.com/signal-sidecar/signal-sidecar/consul"
	"github.com/signal-sidecar/signal-sidecar/errtext"
	"github.com/signal-sidecar/signal-sidecar/fleet"
	"github.com/signal-sidecar/signal-sidecar/health"
)

// exitTimeout is the exit code when --timeout passes.
const exitTimeout = 3

const maxReason = 200 // characters

// changeFlags are the flags of drain, ready and maint.
type changeFlags struct {
	Shards  []string `arg:"" optional:"" name:"shard" help:"The shards to change in Consul, all at once. Without SHARD, the command writes the status file of this node (STATUS_PATH) and does not use Consul."`
	Reason  string   `placeholder:"TEXT" help:"The reason of the change. Consul keeps it with the user and the time, and fleet shows it."`
	Force   bool     `help:"Also take the last ready shard of an environment out of service, and create the key of an unknown shard."`
	Wait    string   `placeholder:"reported|haproxy|empty" help:"Return when a later report shows the change (reported), when every HAProxy shows it too (haproxy), or when the shard also has no participants (empty)."`
	Timeout string   `placeholder:"SECONDS" help:"Longest time to wait; then the exit code is 3."`
	fleetFlags
}

type drainCommand struct{ changeFlags }

func (c drainCommand) Run(ctx context.Context, line *kong.Context, env *config.Environment, std streams) error {
	return c.run(ctx, health.WordDrain, line, env, std)
}

type readyCommand struct{ changeFlags }

func (c readyCommand) Run(ctx context.Context, line *kong.Context, env *config.Environment, std streams) error {
	return c.run(ctx, health.WordReady, line, env, std)
}

type maintCommand struct{ changeFlags }

func (c maintCommand) Run(ctx context.Context, line *kong.Context, env *config.Environment, std streams) error {
	return c.run(ctx, health.WordMaint, line, env, std)
}

var (
	errNeedsShard   = errors.New("used with a SHARD: it has no meaning for a status file")
	errWait         = errors.New("reported, haproxy or empty")
	errNeedsHAProxy = errors.New("used with at least one --haproxy")
	errReady        = errors.New("reported or haproxy: a ready shard does not become empty")
	errNeedsWait    = errors.New("used with --wait")
	errOneOnly      = errors.New("one datacenter: a change is one transaction")
	errReason       = fmt.Errorf("one line of at most %d characters", maxReason)
)

// check checks the flags that are not about the fleet.
func (c changeFlags) check(word health.Word) (timeout time.Duration, err error) {
	var problems []error
	bad := func(holds bool, name, text string, accepted error) {
		if holds {
			problems = append(problems, config.NewError(name, text, "flag", accepted))
		}
	}
	if len(c.Shards) == 0 {
		bad(c.Reason != "", "--reason", c.Reason, errNeedsShard)
		bad(c.Wait != "", "--wait", c.Wait, errNeedsShard)
		bad(c.Force, "--force", "true", errNeedsShard)
		bad(c.Environment != "", "--environment", c.Environment, errNeedsShard)
		bad(c.Datacenter != "", "--datacenter", c.Datacenter, errNeedsShard)
		for _, h := range c.HAProxy {
			bad(true, "--haproxy", h, errNeedsShard)
		}
	}
	reason := []rune(c.Reason)
	bad(len(reason) > maxReason || strings.ContainsAny(c.Reason, "\r\n"), "--reason", shorten(c.Reason, maxReason), errReason)
	switch c.Wait {
	case "", fleet.WaitReported:
	case fleet.WaitHAProxy:
		bad(len(c.HAProxy) == 0, "--wait", c.Wait, errNeedsHAProxy)
	case fleet.WaitEmpty:
		bad(word == health.WordReady, "--wait", c.Wait, errReady)
	default:
		bad(true, "--wait", c.Wait, errWait)
	}
	if c.Timeout != "" {
		timeout, err = config.Seconds(c.Timeout)
		bad(err != nil, "--timeout", c.Timeout, err)
		bad(c.Wait == "", "--timeout", c.Timeout, errNeedsWait)
	}
	bad(c.Datacenter == fleet.AllDatacenters, "--datacenter", c.Datacenter, errOneOnly)
	return timeout, errors.Join(problems...)
}

func (c changeFlags) run(
	ctx context.Context, word health.Word, line *kong.Context, env *config.Environment, std streams,
) error {
	timeout, err := c.check(word)
	if err != nil {
		return err
	}
	if len(c.Shards) == 0 {
		return writeLocalState(word, line, env, std)
	}
	o, err := c.options(line, env)
	if err != nil {
		return err
	}
	plan, err := o.Plan(ctx, fleet.Change{
		Word: word, Shards: c.Shards, By: operator(), Reason: c.Reason, Force: c.Force,
	})
	if err != nil {
		return err
	}
	changed, err := plan.Commit(ctx)
	if err != nil {
		return err
	}
	for _, s := range changed {
		fmt.Fprintln(std.stdout, effect(s, word))
	}
	if c.Wait == "" {
		return nil
	}
	return c.wait(ctx, std, plan, o, timeout)
}

// writeLocalState writes the status file of this node.
func writeLocalState(word health.Word, line *kong.Context, env *config.Environment, std streams) error {
	c, err := config.Load(line, env)
	if err != nil {
		return err
	}
	before, err := consul.WriteStatusFile(c.StatusPath, word)
	switch {
	case err != nil:
		return fmt.Errorf("write the status file of this node (STATUS_PATH=%s): %s", c.StatusPath, errtext.File(err))
	case before == word:
		_, err = fmt.Fprintf(std.stdout, "%s: %s already\n", c.StatusPath, word)
	default:
		_, err = fmt.Fprintf(std.stdout, "%s: %s (was %s)\n", c.StatusPath, word, before)
	}
	return err
}

// effect describes the change of one shard.
func effect(s fleet.Changed, word health.Word) string {
	shard := fleet.Printable(s.Shard)
	switch {
	case s.Unchanged:
		text := fmt.Sprintf("%s: %s already", shard, word)
		if s.Reports != "" {
			text += ", but it reports " + health.OneLine(s.Reports)
		}
		if s.Audit != nil {
			text += ": " + s.Audit.String()
		}
		return text
	case s.Before == "":
		return fmt.Sprintf("%s: %s", shard, word)
	default:
		return fmt.Sprintf("%s: %s (was %s)", shard, word, fleet.Printable(health.TrimStatus(s.Before)))
	}
}

// operator returns who runs the command, as user@host. With sudo it is the user who called it.
func operator() string {
	name := os.Getenv("SUDO_USER")
	if u, err := user.Current(); err == nil {
		name = cmp.Or(name, u.Username)
	}
	host, err := os.Hostname()
	if err != nil {
		host = "unknown host"
	}
	return cmp.Or(name, "unknown user") + "@" + host
}
