package health_test

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/signal-sidecar/signal-sidecar/health"
)

// TestStories runs every timeline of testdata/stories. Type story documents their syntax.
func TestStories(t *testing.T) {
	files, err := filepath.Glob("testdata/stories/*.story")
	if err != nil || len(files) == 0 {
		t.Fatalf("no stories found: %v", err)
	}
	for _, file := range files {
		t.Run(filepath.Base(file), func(t *testing.T) {
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			stories, err := parseStory(file, string(text))
			if err != nil {
				t.Fatal(err)
			}
			for _, s := range stories {
				for _, failure := range play(t, s) {
					t.Error(failure)
				}
			}
		})
	}
}

// play runs a story against a Monitor under virtual time and returns the differences.
func play(t *testing.T, s story) []string {
	var p *player
	synctest.Test(t, func(t *testing.T) {
		p = &player{story: s, node: workingNode(), zero: time.Now(), seen: map[part]bool{}}
		p.start()
		for _, l := range s.lines {
			p.play(l)
		}
		p.stop()
	})
	return p.failures
}

// start starts a Monitor, as a process of the sidecar does.
func (p *player) start() {
	p.monitor = health.NewMonitor(p.config, endlessly(), p.listen)
	ctx, stop := context.WithCancel(context.Background())
	p.stop = stop
	go p.monitor.Run(ctx) //nolint:errcheck // it returns nil; the bubble waits for it
}

// restart replaces the Monitor by one that continues from its checkpoint in JSON.
func (p *player) restart() {
	p.stop()
	text, err := json.Marshal(p.monitor.Current().Checkpoint(time.Now()))
	if err != nil {
		panic(err)
	}
	var c health.Checkpoint
	if err := json.Unmarshal(text, &c); err != nil {
		panic(err)
	}
	if err := c.Validate(time.Hour); err != nil {
		panic(err)
	}
	p.start()
	p.monitor.Restore(c, 0)
}

// player runs a story.
type player struct {
	story
	monitor  *health.Monitor
	stop     context.CancelFunc
	zero     time.Time // the story's 0s
	node     node
	seen     map[part]bool
	ticks    time.Duration // when the parts are polled next
	failures []string

	mu   sync.Mutex
	told []change // since the previous line
}

// A change is a change of the verdict and the time when it was published.
type change struct {
	at      time.Duration
	verdict health.Verdict
}

// listen collects the changes. Any goroutine may call it.
func (p *player) listen(_ context.Context, step health.Step, _ *health.Snapshot) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, c := range step.Changes {
		p.told = append(p.told, change{time.Since(p.zero), c.To})
	}
}

// play moves the time to the line, makes its observations and checks its expectation.
func (p *player) play(l line) {
	first := len(p.seen) == 0
	if first {
		p.ticks = l.at
	}
	for p.poll > 0 && p.ticks < l.at {
		p.sleepUntil(p.ticks)
		p.observeAll()
		p.ticks += p.poll
	}
	p.sleepUntil(l.at)
	p.observe(l.events, first && !p.unseen)
	if p.poll > 0 && p.ticks == l.at {
		p.observeAll()
		p.ticks += p.poll
	}
	synctest.Wait() // for Run, whose deadline may be now
	p.checkUntold(l)
	p.check(l)
}

// sleepUntil moves virtual time forward.
func (p *player) sleepUntil(at time.Duration) {
	time.Sleep(time.Until(p.zero.Add(at)))
	synctest.Wait()
}

// observe applies the events and makes an observation of each part. At the start of most stories it observes all parts
// once.
func (p *player) observe(events []event, start bool) {
	for _, e := range events {
		if e.part == partRestart {
			p.restart()
			continue
		}
		e.apply(&p.node)
		p.seen[e.part] = true
		if !start {
			p.monitor.Observe(context.Background(), p.node.observe(e.part, time.Now()))
		}
	}
	if start {
		p.seen[partJicofo], p.seen[partProsody], p.seen[partStatusFile] = true, true, true
		p.observeAll()
	}
}

// observeAll makes an observation of every part that was observed before, unchanged.
func (p *player) observeAll() {
	for _, each := range []part{partJicofo, partProsody, partStatusFile, partCensus} {
		if p.seen[each] {
			p.monitor.Observe(context.Background(), p.node.observe(each, time.Now()))
		}
	}
}

func (p *player) check(l line) {
	if l.want == nil {
		return
	}
	if got := l.want.describe(p.monitor.Current(), p.zero); got != l.want.text {
		p.failf(l, "the story says %q, the node says %q", l.want.text, got)
	}
}

// checkUntold fails if the verdict changed at a time other than the line's.
func (p *player) checkUntold(l line) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, c := range p.told {
		if c.at != l.at {
			p.failf(l, "at %s the verdict turned to %q, and no line tells of it", c.at, c.verdict.AgentLine())
		}
	}
	p.told = nil
}

func (p *player) failf(l line, format string, args ...any) {
	where := fmt.Sprintf("%s:%d: at %s", p.file, l.number, l.at)
	if p.name != "" {
		where += " (" + p.name + ")"
	}
	p.failures = append(p.failures, where+": "+fmt.Sprintf(format, args...))
}
