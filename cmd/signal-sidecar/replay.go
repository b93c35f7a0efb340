package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/signal-sidecar/signal-sidecar/health"
	"github.com/signal-sidecar/signal-sidecar/recording"
)

// replayCommand runs a recording through the rules again, under virtual time.
type replayCommand struct {
	File string   `arg:"" help:"The recording, as RECORD_PATH named it; - reads standard input."`
	Set  []string `name:"set" sep:"none" placeholder:"NAME=VALUE" help:"Show too what would have been with another setting of the verdict, such as DRAIN_GRACE_INTERVAL=60; may be given more than once."`
	JSON bool     `name:"json" help:"Print JSON."`
}

// whatIf sets one of the settings that a replay can change; the error says what it accepts.
type whatIf func(c *health.Config, value string) error

// whatIfs are the settings that the verdict depends on.
var whatIfs = map[string]whatIf{
	"PARTICIPANT_MAX":           setting(positiveCount, func(c *health.Config, v float64) { c.ParticipantMax = v }),
	"WEIGHT_PARTICIPANTS":       setting(boolean, func(c *health.Config, v bool) { c.WeightParticipants = v }),
	"HEALTH_DAMPENING_INTERVAL": setting(seconds, func(c *health.Config, v time.Duration) { c.HealthDampening = v }),
	"DRAIN_GRACE_INTERVAL":      setting(seconds, func(c *health.Config, v time.Duration) { c.DrainGrace = v }),
	"UNREACHABLE_TOLERANCE":     setting(seconds, func(c *health.Config, v time.Duration) { c.UnreachableTolerance = v }),
	"DRAIN_GRACE_SCOPE": setting(oneOf(health.ScopeJicofo, health.ScopeSoft),
		func(c *health.Config, v health.GraceScope) { c.DrainGraceScope = v }),
}

func setting[T any](parse func(string) (T, error), apply func(*health.Config, T)) whatIf {
	return func(c *health.Config, value string) error {
		v, err := parse(value)
		if err == nil {
			apply(c, v)
		}
		return err
	}
}

func (r replayCommand) Run(ctx context.Context, std streams) error {
	if _, _, err := r.change(health.Config{}); err != nil {
		return err
	}
	read, err := r.read(ctx)
	if err != nil {
		return err
	}
	runs, warnings := r.replay(read)
	if r.JSON {
		err = recording.PrintJSON(std.stdout, runs, read)
	} else {
		err = recording.Print(std.stdout, runs)
	}
	if err != nil {
		return err
	}
	for _, warning := range warnings {
		fmt.Fprintln(std.stderr, "signal-sidecar:", warning)
	}
	return r.problems(std.stderr, read)
}

// read reads the recording; an interrupt ends it.
func (r replayCommand) read(ctx context.Context) (*recording.Recording, error) {
	file := os.Stdin
	if r.File != "-" {
		var err error
		if file, err = os.Open(r.File); err != nil {
			return nil, err
		}
	}
	stop := context.AfterFunc(ctx, func() { _ = file.Close() })
	defer file.Close()
	defer stop()
	return recording.Read(file), nil
}

// change returns the config with what --set changes, and a warning for each setting that had to be adapted.
func (r replayCommand) change(c health.Config) (health.Config, []string, error) {
	var problems []error
	for _, pair := range r.Set {
		name, text, _ := strings.Cut(pair, "=")
		set, known := whatIfs[name]
		if !known {
			accepted := fmt.Errorf("NAME=VALUE, where NAME is one of %s", strings.Join(whatIfNames(), ", "))
			problems = append(problems, &settingError{"--set", value{pair, "flag"}, accepted})
			continue
		}
		if err := set(&c, text); err != nil {
			problems = append(problems, &settingError{name, value{text, "--set"}, err})
		}
	}
	c, warnings := c.Normalize()
	return c, warnings, errors.Join(problems...)
}

func whatIfNames() []string {
	var names []string
	for name := range whatIfs {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

// replay replays every run, and once more with what --set changes.
func (r replayCommand) replay(read *recording.Recording) (runs []*recording.Replayed, warnings []string) {
	for _, run := range read.Runs {
		replayed := recording.NewReplayed(run)
		if len(r.Set) > 0 {
			changed, warned, _ := r.change(run.Config) // checked before
			replayed.Compare(run, r.Set, changed)
			for _, warning := range warned {
				if !slices.Contains(warnings, warning) {
					warnings = append(warnings, warning)
				}
			}
		}
		runs = append(runs, replayed)
	}
	return runs, warnings
}

// problems prints what could not be read, and where the replay differs from what was recorded. In both cases the error is
// exitFailure.
func (r replayCommand) problems(w io.Writer, read *recording.Recording) error {
	for _, p := range read.Problems {
		fmt.Fprintf(w, "%s:%d: %s\n", r.File, p.Line, p.Reason)
	}
	if more := read.Unread - len(read.Problems); more > 0 {
		fmt.Fprintf(w, "%s: and %d more\n", r.File, more)
	}
	failed := read.Unread > 0
	for _, run := range read.Runs {
		if p := run.Compare(); p != nil && run.Complete {
			failed = true
			fmt.Fprintf(w, "%s:%d: the replay differs: %s\n", r.File, p.Line, p.Reason)
		}
	}
	switch {
	case failed:
		return exitError(exitFailure)
	case len(read.Runs) == 0:
		fmt.Fprintf(w, "%s: nothing is recorded in it\n", r.File)
	}
	return nil
}
