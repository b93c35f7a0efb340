package state

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"sync/atomic"
	"time"

	"go.opentelemetry.io/otel/metric"

	"github.com/signal-sidecar/signal-sidecar/errtext"
	"github.com/signal-sidecar/signal-sidecar/health"
)

const (
	// slack is added to the longest interval of the rules for the age up to which a state is believed.
	slack = time.Minute
	// pace is the time from the end of one write to the next one, which contains all changes since.
	pace = 50 * time.Millisecond
	// refreshInterval is the time between two writes without a change. The age of the file is then the time that the
	// process has been away, plus this interval at most.
	refreshInterval = 20 * time.Second
)

// Options are what a Keeper needs.
type Options struct {
	// Path is the file. Its folder must exist.
	Path          string
	Rules         health.Config
	MeterProvider metric.MeterProvider
	Logger        *slog.Logger
}

// Keeper reads the state that the previous process has left behind, and writes the state of this process.
type Keeper struct {
	path    string
	maxAge  time.Duration
	log     *slog.Logger
	counts  instruments
	latest  atomic.Pointer[health.Snapshot]
	applied atomic.Pointer[Applied]
	wake    chan struct{} // holds a token when something may have changed

	// Used by Run only:
	began   time.Time // a fixed time, to compare checkpoints of different times
	written []byte    // what was written last, with the ages at began
	failing bool
}

// New returns a Keeper that writes while Run runs. It returns an error if its instruments cannot be created.
func New(o Options) (*Keeper, error) {
	k := &Keeper{
		path: o.Path, maxAge: max(o.Rules.HealthDampening, o.Rules.DrainGrace) + slack,
		log: o.Logger.With("state_path", o.Path), wake: make(chan struct{}, 1), began: time.Now(),
	}
	return k, k.counts.register(o.MeterProvider)
}

// Load returns the state that the previous process has left behind, or nil if there is none that can be believed. It
// logs one line.
func (k *Keeper) Load(ctx context.Context) *Saved {
	saved, err := k.read()
	if err != nil {
		level, outdated := slog.LevelWarn, outdatedError("")
		if errors.Is(err, fs.ErrNotExist) || errors.As(err, &outdated) {
			level = slog.LevelInfo
		}
		k.log.Log(ctx, level, "no state is restored", "reason", errtext.File(err))
		return nil
	}
	restored := []any{"age", saved.Age.Round(time.Millisecond).String(), "agent_line", saved.Checkpoint.AgentLine}
	if e := saved.Checkpoint.Episode; e != nil {
		restored = append(restored, "incident.id", e.Incident)
	}
	k.log.InfoContext(ctx, "state of the previous process is restored", restored...)
	k.applied.Store(saved.Applied)
	return saved
}

func (k *Keeper) read() (*Saved, error) {
	text, err := readFile(k.path)
	if err != nil {
		return nil, err
	}
	return parse(text, k.maxAge)
}

// Listen lets Run write the state after a step. It never waits. It is a health.Listener.
func (k *Keeper) Listen(_ context.Context, _ health.Step, after *health.Snapshot) {
	k.latest.Store(after)
	k.changed()
}

// SetApplied lets Run write the value of Consul's status key that was applied last. It never waits.
func (k *Keeper) SetApplied(a Applied) {
	k.applied.Store(&a)
	k.changed()
}

func (k *Keeper) changed() {
	select {
	case k.wake <- struct{}{}:
	default:
	}
}

// Run writes each change until ctx ends, and then once more. It returns nil, because a state that cannot be written
// must not stop the sidecar.
func (k *Keeper) Run(ctx context.Context) error {
	refresh := time.NewTicker(refreshInterval)
	defer refresh.Stop()
	for {
		select {
		case <-ctx.Done():
			k.write(context.WithoutCancel(ctx), true)
			return nil
		case <-refresh.C:
			k.write(ctx, true)
		case <-k.wake:
			k.write(ctx, false)
		}
		select {
		case <-ctx.Done():
		case <-time.After(pace):
		}
	}
}

// write writes the state if it has changed, or in any case. It writes nothing before the first verdict: until then the
// file of the previous process is still right.
func (k *Keeper) write(ctx context.Context, always bool) {
	snapshot := k.latest.Load()
	if snapshot == nil || !snapshot.Verdict.Known {
		return
	}
	applied := k.applied.Load()
	text := compared(snapshot.Checkpoint(k.began), applied)
	if !always && bytes.Equal(text, k.written) {
		return
	}
	err := k.replace(snapshot, applied)
	switch {
	case err != nil:
		k.counts.failed.Add(1)
		if !k.failing {
			k.log.ErrorContext(ctx, "state is not written: a restart would forget it",
				"detail", errtext.File(err), "error", err)
		}
	default:
		k.counts.written.Add(1)
		k.written = text
		if k.failing {
			k.log.InfoContext(ctx, "state is written again")
		}
	}
	k.failing = err != nil
}

func (k *Keeper) replace(snapshot *health.Snapshot, applied *Applied) error {
	id, sinceBoot, err := bootClock()
	if err != nil {
		return err
	}
	text, err := json.Marshal(contents{version, id, sinceBoot, snapshot.Checkpoint(time.Now()), applied})
	if err != nil {
		return fmt.Errorf("encode the state: %w", err)
	}
	return writeFile(k.path, append(text, '\n'))
}

// compared returns a text that differs if a change must be written at once. The load of a healthy service changes
// with every poll, and is written with the next refresh.
func compared(c health.Checkpoint, applied *Applied) []byte {
	if c.Jicofo.Good != nil {
		c.Jicofo.Good = new(health.Jicofo)
	}
	if c.Prosody.Good != nil {
		c.Prosody.Good = new(health.Prosody)
	}
	text, _ := json.Marshal(contents{Checkpoint: c, Applied: applied}) // replace reports an error
	return text
}
