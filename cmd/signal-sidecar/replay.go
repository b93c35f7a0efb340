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
	recording, err := r.read(ctx)
	if err != nil {
		return err
	}
	runs, warnings := r.replay(recording)
	if r.JSON {
		err = printReplayJSON(std.stdout, runs, recording)
	} else {
		err = printReplay(std.stdout, runs)
	}
	if err != nil {
		return err
	}
	for _, warning := range warnings {
		fmt.Fprintln(std.stderr, "signal-sidecar:", warning)
	}
	return r.problems(std.stderr, recording)
}

// read reads the recording; an interrupt ends it.
func (r replayCommand) read(ctx context.Context) (*health.Recording, error) {
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
	return health.ReadRecording(file), nil
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
func (r replayCommand) replay(recording *health.Recording) (runs []replayedRun, warnings []string) {
	for _, run := range recording.Runs {
		replayed := replayedRun{
			Start: health.Time(run.Start), End: health.Time(run.End), Observations: len(run.Observations),
			Timeline: timelineOf(run, run.Config),
		}
		if len(r.Set) > 0 {
			changed, warned, _ := r.change(run.Config) // checked before
			replayed.Set, replayed.Changed = r.Set, timelineOf(run, changed)
			replayed.Difference = replayed.difference()
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

// problems tells what could not be read, and where the rules of this version say otherwise than those that recorded. The
// error is exitFailure when something could not be read.
func (r replayCommand) problems(w io.Writer, recording *health.Recording) error {
	for _, p := range recording.Problems {
		fmt.Fprintf(w, "%s:%d: %s\n", r.File, p.Line, p.Reason)
	}
	if more := recording.Unread - len(recording.Problems); more > 0 {
		fmt.Fprintf(w, "%s: and %d more\n", r.File, more)
	}
	for _, run := range recording.Runs {
		if p := run.Compare(); p != nil && run.Complete {
			fmt.Fprintf(w, "%s:%d: this version says otherwise: %s\n", r.File, p.Line, p.Reason)
		}
	}
	switch {
	case recording.Unread > 0:
		return exitError(exitFailure)
	case len(recording.Runs) == 0:
		fmt.Fprintf(w, "%s: nothing is recorded in it\n", r.File)
	}
	return nil
}
