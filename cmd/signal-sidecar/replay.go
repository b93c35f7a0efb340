package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"

	"github.com/signal-sidecar/signal-sidecar/config"
	"github.com/signal-sidecar/signal-sidecar/errtext"
	"github.com/signal-sidecar/signal-sidecar/health"
	"github.com/signal-sidecar/signal-sidecar/recording"
)

// replayCommand runs a recording through the rules again, under virtual time.
type replayCommand struct {
	File string   `arg:"" help:"The file of the recording (RECORD_PATH); - reads standard input."`
	Set  []string `name:"set" sep:"none" placeholder:"NAME=VALUE" help:"Replay with this setting of the verdict too, such as DRAIN_GRACE_INTERVAL=60. Can be given more than once."`
	JSON bool     `name:"json" help:"Print JSON."`
}

func (r replayCommand) Run(ctx context.Context, std streams) error {
	if _, _, err := r.change(health.Config{}); err != nil {
		return err
	}
	runs, read, warnings, err := r.replay(ctx)
	if err != nil {
		return err
	}
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
	return r.problems(std.stderr, runs, read)
}

// replay replays the recording while it reads it: every run, and with --set once more with the changed config. It stops
// when ctx ends.
func (r replayCommand) replay(
	ctx context.Context,
) (runs []*recording.Replayed, read *recording.Recording, warnings []string, err error) {
	file := os.Stdin
	if r.File != "-" {
		if file, err = os.Open(r.File); err != nil {
			err = &errtext.Error{Text: errtext.File(err), Err: err}
			return nil, nil, nil, err
		}
	}
	stop := context.AfterFunc(ctx, func() { _ = file.Close() })
	defer file.Close()
	defer stop()
	runs, read = recording.Replay(file, r.Set, func(cfg health.Config) health.Config {
		changed, warned, _ := r.change(cfg) // Run has already checked --set
		for _, warning := range warned {
			if !slices.Contains(warnings, warning) {
				warnings = append(warnings, warning)
			}
		}
		return changed
	})
	return runs, read, warnings, nil
}

// change returns the config with the changes of --set, and a warning for each setting that Normalize adapted.
func (r replayCommand) change(c health.Config) (health.Config, []string, error) {
	var problems []error
	for _, pair := range r.Set {
		name, text, _ := strings.Cut(pair, "=")
		if !slices.Contains(config.RuleNames(), name) {
			accepted := fmt.Errorf("NAME=VALUE, where NAME is one of %s", strings.Join(config.RuleNames(), ", "))
			problems = append(problems, config.NewError("--set", pair, "flag", accepted))
			continue
		}
		if err := config.SetRule(&c, name, text, "--set"); err != nil {
			problems = append(problems, err)
		}
	}
	c, warnings := c.Normalize()
	return c, warnings, errors.Join(problems...)
}

// problems prints which lines could not be read, and where the replay differs from the recording. In both cases it
// returns exitFailure.
func (r replayCommand) problems(w io.Writer, runs []*recording.Replayed, read *recording.Recording) error {
	for _, p := range read.Problems {
		fmt.Fprintf(w, "%s:%d: %s\n", r.File, p.Line, p.Reason)
	}
	if more := read.Unread - len(read.Problems); more > 0 {
		fmt.Fprintf(w, "%s: and %d more\n", r.File, more)
	}
	failed := read.Unread > 0
	for _, run := range runs {
		if p := run.Deviation; p != nil {
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
