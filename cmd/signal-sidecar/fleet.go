package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/alecthomas/kong"
	"golang.org/x/sync/errgroup"

	"github.com/signal-sidecar/signal-sidecar/config"
	"github.com/signal-sidecar/signal-sidecar/fleet"
	"github.com/signal-sidecar/signal-sidecar/health"
)

// fleetCommand prints a row for each shard of a fleet.
type fleetCommand struct {
	fleetFlags
	Unhealthy bool `help:"Show only shards that are down, damped, without a verdict or marked."`
	JSON      bool `name:"json" help:"Print JSON; with --watch one line for each change."`
	Watch     bool `help:"Print each change until interrupted; a terminal shows only the latest table."`
}

func (f fleetCommand) Run(ctx context.Context, line *kong.Context, env *config.Environment, std streams) error {
	o, err := f.options(line, env)
	if err != nil {
		return err
	}
	if f.Watch {
		return f.watch(ctx, std, o)
	}
	v := fleet.NewReader(o).Settled(ctx)
	if ctx.Err() != nil {
		return exitError(exitFailure)
	}
	if err := f.print(std, v); err != nil {
		return err
	}
	return fleetResult(v)
}

// fleetResult returns the exit code of a view, as an error.
func fleetResult(v *fleet.View) error {
	if v == nil || len(v.Problems) > 0 || v.Disagreements() > 0 {
		return exitError(exitFailure)
	}
	return nil
}

// fleetDocument is the output of fleet --json (docs/fleet.md).
type fleetDocument struct {
	Time     health.Time `json:"time"`
	Shards   []fleet.Row `json:"shards"`
	Problems []string    `json:"problems"`
}

// documentOf returns a view as JSON. With unhealthy it has only the rows that are so.
func documentOf(v *fleet.View, unhealthy bool) []byte {
	document := fleetDocument{Time: health.Time(v.At), Shards: []fleet.Row{}, Problems: []string{}}
	document.Problems = append(document.Problems, v.Problems...)
	for _, r := range v.Rows {
		if !unhealthy || !r.Healthy() {
			document.Shards = append(document.Shards, r)
		}
	}
	encoded, _ := json.Marshal(document) // it has texts and finite numbers only
	return encoded
}

// print prints a view as a table or as JSON, and its problems.
func (f fleetCommand) print(std streams, v *fleet.View) error {
	to, text := std.stdout, ""
	if f.JSON {
		text = string(documentOf(v, f.Unhealthy)) + "\n"
	} else if len(v.Rows) > 0 || len(v.Problems) == 0 {
		text = newFleetTable(v, f.Unhealthy).text(colours(to))
		if terminal := terminalOf(to); terminal != nil {
			to = terminal // the table is safe to print, and its colours must not be escaped
		}
	}
	if _, err := io.WriteString(to, text); err != nil {
		return err
	}
	for _, p := range v.Problems {
		fmt.Fprintln(std.stderr, "signal-sidecar:", strings.ReplaceAll(p, "\n", "; "))
	}
	return nil
}

// watch prints each view that differs in more than the ages of the reports. On a terminal it draws each view over the
// last one.
func (f fleetCommand) watch(ctx context.Context, std streams, o fleet.Options) error {
	inner, stop := context.WithCancel(ctx)
	w := fleet.NewWatcher(o)
	var running errgroup.Group
	running.Go(func() error { return w.Run(inner) })
	defer func() {
		stop()
		_ = running.Wait() // it ends without an error when inner does
	}()
	screen := newScreen(std.stdout)
	var last *fleet.View
	printed := ""
	for v := range w.Subscribe(inner) {
		last = v
		if screen != nil && !f.JSON {
			screen.draw(newFleetTable(v, f.Unhealthy), v)
			continue
		}
		if text := lasting(v); text != printed {
			printed = text
			if err := f.print(std, v); err != nil {
				return err
			}
		}
	}
	return fleetResult(last)
}

// lasting returns what a view contains apart from the times of its reports.
func lasting(v *fleet.View) string {
	rows := make([]fleet.Row, len(v.Rows))
	for i, r := range v.Rows {
		r.ReportAge, r.ReportTime = nil, nil
		rows[i] = r
	}
	text, _ := json.Marshal(fleetDocument{Shards: rows, Problems: v.Problems}) // it has texts and numbers only
	return string(text)
}

// age prints a number of seconds shortly, such as 12s, 3m or 5d.
func age(seconds float64) string {
	d := time.Duration(seconds * float64(time.Second))
	switch a := d.Abs(); {
	case a < 2*time.Minute:
		return fmt.Sprintf("%.0fs", d.Seconds())
	case a < 2*time.Hour:
		return fmt.Sprintf("%.0fm", d.Minutes())
	case a < 48*time.Hour:
		return fmt.Sprintf("%.0fh", d.Hours())
	default:
		return fmt.Sprintf("%.0fd", d.Hours()/24)
	}
}

var (
	errEnvironment = errors.New("the name of an environment, without /")
	errPattern     = errors.New("a regular expression with a group, such as ^(.*)-443$")
)
