package faults_test

import (
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/signal-sidecar/signal-sidecar/testbed"
)

// The load of the soak, on both sidecars together.
const (
	soakCheckers = 20 // each makes a check every 100 ms: 200 a second
	soakScrapers = 4  // each makes a request every 200 ms: 20 a second
)

// soaker is a sidecar of the soak, and the judge of its replies.
type soaker struct {
	*shard
	judge    *judge
	restarts bool         // it is killed and stopped now and then
	life     sync.RWMutex // held while it is started again
}

// soak is a node that fails at random, with two sidecars: one that is restarted, and one whose use of resources is
// measured.
type soak struct {
	t       *testing.T
	node    *truth
	shard   *shard
	soakers []*soaker
	random  *rand.Rand
	busy    busy

	checks, silent, unjudged, requests atomic.Int64
	untrue                             atomic.Int64
}

// TestSoak lets a node fail at random for the time in SOAK, such as 10m. Each reply must be one that the judge allows.
// SOAK_SEED repeats the faults of another run.
func TestSoak(t *testing.T) {
	if os.Getenv("SOAK") == "" {
		t.Skip("it takes minutes: make soak")
	}
	length, err := time.ParseDuration(os.Getenv("SOAK"))
	testbed.Must(t, err)
	seed := uint64(time.Now().UnixNano())
	if text := os.Getenv("SOAK_SEED"); text != "" {
		seed, err = strconv.ParseUint(text, 10, 64)
		testbed.Must(t, err)
	}
	fmt.Fprintf(os.Stderr, "soak for %s: SOAK_SEED=%d\n", length, seed)
	s := newSoak(t, seed)
	before := s.settled()
	ctx, cancel := context.WithTimeout(t.Context(), length)
	defer cancel()
	var load sync.WaitGroup
	s.load(ctx, &load)
	faults := 0
	for ; ctx.Err() == nil && s.untrue.Load() == 0; faults++ {
		s.change()
		pause(ctx, time.Duration(s.random.IntN(1500))*time.Millisecond)
		if s.random.IntN(12) == 0 { // long enough for grace and dampening to end
			pause(ctx, soakGrace+staleness)
		}
	}
	cancel()
	load.Wait()
	s.heal()
	after := s.settled()
	after.compare(t, before)
	summary := fmt.Sprintf("%d faults, %d checks, %d without a reply, %d not judged because the machine was too busy; "+
		"%d requests; then %v, at first %v", faults, s.checks.Load(), s.silent.Load(), s.unjudged.Load(),
		s.requests.Load(), after, before)
	fmt.Fprintln(os.Stderr, summary)
	for _, k := range s.soakers {
		k.stillWell(t)
	}
	if judged := s.checks.Load() - s.silent.Load() - s.unjudged.Load(); judged == 0 {
		t.Error("no reply was judged")
	}
}

func pause(ctx context.Context, d time.Duration) {
	select {
	case <-ctx.Done():
	case <-time.After(d):
	}
}

func newSoak(t *testing.T, seed uint64) *soak {
	t.Helper()
	random := rand.New(rand.NewPCG(seed, 0)) //nolint:gosec // no secret
	s := &soak{t: t, node: &truth{new(timeline), new(timeline), new(timeline)}, shard: newShard(t), random: random}
	nothing := func() {}
	s.node.jicofo.change(stateHealthy, nothing)
	s.node.prosody.change(stateHealthy, nothing)
	s.node.word.change("ready", nothing)
	for _, restarts := range []bool{true, false} {
		own := &shard{Node: s.shard.Node, settings: s.shard.settings.With(vars{
			"POLLING_INTERVAL": soakPoll.String(), "RECOVERY_POLLING_INTERVAL": soakPoll.String(),
			"PROBE_TIMEOUT": soakTimeout.String(), "HEALTH_DAMPENING_INTERVAL": soakDampens.String(),
			"DRAIN_GRACE_INTERVAL": soakGrace.String(), "AGENT_DESCRIPTION": "true",
			"HTTP_PORT": testbed.LastingPort(t), "TCP_PORT": testbed.LastingPort(t),
			"TCP_HOLD_PORT": testbed.LastingPort(t), "AGENT_HOLD": "2",
			"STATE_PATH": filepath.Join(t.TempDir(), "state.json"),
		})}
		k := &soaker{shard: own, judge: &judge{node: s.node}, restarts: restarts}
		k.begin(t)
		s.soakers = append(s.soakers, k)
	}
	s.busy.watch(t)
	return s
}

// begin starts the sidecar, on the ports of its settings.
func (k *soaker) begin(t *testing.T) {
	t.Helper()
	k.life.Lock()
	defer k.life.Unlock()
	k.start(t)
}

// settled waits until the node is up and ready and its clients are gone, and returns what the second sidecar uses.
func (s *soak) settled() (u usage) {
	s.t.Helper()
	for _, k := range s.soakers {
		k.Becomes(s.t, up)
	}
	k := s.soakers[1]
	k.eventually(s.t, "a low number of descriptors", func() bool {
		u = k.usage(s.t)
		return u.descriptors < 40
	})
	return u
}

// usage is what a sidecar uses.
type usage struct{ goroutines, descriptors, heap int }

func (u usage) String() string {
	return fmt.Sprintf("%d goroutines, %d descriptors, %d KiB of heap", u.goroutines, u.descriptors, u.heap>>10)
}

func (s *shard) usage(t *testing.T) usage {
	t.Helper()
	read := func(series string) int {
		var n float64
		if _, err := fmt.Sscan(s.Metric(series), &n); err != nil {
			t.Fatalf("%s: %v", series, err)
		}
		return int(n)
	}
	return usage{
		read("go_goroutines"), read("process_open_fds"), read(`go_memory_used_bytes{go_memory_type="other"}`),
	}
}

// compare checks that a sidecar uses about as much as at first. The history keeps more after a while, up to its bounds.
func (u usage) compare(t *testing.T, before usage) {
	t.Helper()
	if u.goroutines > before.goroutines+10 || u.descriptors > before.descriptors+10 || u.heap > before.heap+16<<20 {
		t.Errorf("at the end %v, at first %v", u, before)
	}
}

// load makes checks and requests until ctx ends.
func (s *soak) load(ctx context.Context, all *sync.WaitGroup) {
	every := func(d time.Duration, ask func(k *soaker), k *soaker) {
		all.Go(func() {
			pace := time.NewTicker(d)
			defer pace.Stop()
			for {
				select {
				case <-ctx.Done():
					return
				case <-pace.C:
					ask(k)
				}
			}
		})
	}
	for i := range soakCheckers {
		every(100*time.Millisecond, s.check, s.soakers[i%2])
	}
	for i := range soakScrapers {
		every(200*time.Millisecond, s.request, s.soakers[i%2])
		every(200*time.Millisecond, s.held, s.soakers[i%2])
	}
}

// check makes a check and judges the reply.
func (s *soak) check(k *soaker) { s.ask(k, func() string { return k.Agent }) }

// held makes a check at the held port. It ends when the reply changes, or after 2 s.
func (s *soak) held(k *soaker) { s.ask(k, func() string { return k.Held }) }

func (s *soak) ask(k *soaker, address func() string) {
	k.life.RLock()
	port := address()
	k.life.RUnlock()
	s.checks.Add(1)
	asked := time.Now()
	line, err := testbed.Ask(port)
	received := time.Now()
	if line == "" { // closed because a poll is overdue, or by a kill
		s.silent.Add(1)
		return
	}
	s.judge(k, "the agent", strings.TrimSuffix(line, "\n"), asked, received)
	if err != nil || !strings.HasSuffix(line, "\n") {
		s.refuse("the agent's reply is cut off: %q, %v", line, err)
	}
}

func (s *soak) judge(k *soaker, whose, line string, asked, received time.Time) {
	if s.busy.since(asked.Add(-staleness - soakGrace)) {
		s.unjudged.Add(1)
		return
	}
	if why := k.judge.verdict(line, asked, received); why != "" {
		s.refuse("%s replied %q: %s", whose, line, why)
	}
}

func (s *soak) refuse(format string, args ...any) {
	s.t.Helper()
	if s.untrue.Add(1) == 1 {
		s.t.Errorf(format, args...)
		s.node.log(s.t)
	}
}

// request asks for a path of the HTTP port. The report must agree with its status code, and the judge must allow it.
func (s *soak) request(k *soaker) {
	k.life.RLock()
	defer k.life.RUnlock()
	path := []string{"/metrics", "/metrics", "/signal/report", "/signal/explain", "/signal/history"}[s.requests.Add(1)%5]
	asked := time.Now()
	code, body := testbed.Get("http://" + k.HTTP + path)
	received := time.Now()
	switch {
	case code == 0, k.stopping.Load(): // it is being stopped
	case path != "/signal/report":
		if code != http.StatusOK && code != http.StatusServiceUnavailable {
			s.refuse("%s returned %d %.200s", path, code, body)
		}
	case code != http.StatusInternalServerError: // it has a verdict, and no poll loop stands still
		var report struct {
			Healthy bool
			Agent   string `json:"agentmessage"`
		}
		if err := json.Unmarshal([]byte(body), &report); err != nil || report.Healthy != (code == http.StatusOK) {
			s.refuse("the report has the status code %d: %v, %.300s", code, err, body)
			return
		}
		if report.Healthy != strings.HasPrefix(report.Agent, "up ") {
			s.refuse("the report differs from its agent line: %.300s", body)
		}
		s.judge(k, "the report", report.Agent, asked, received)
	}
}

// action is a random change.
type action struct {
	weight int
	do     func(s *soak)
}

var actions = []action{
	{6, func(s *soak) { s.service(s.node.jicofo, s.shard.Jicofo, "hang") }},
	{6, func(s *soak) { s.service(s.node.prosody, s.shard.Prosody, "hang") }},
	{6, (*soak).edit},
	{1, (*soak).restart},
	{1, (*soak).freeze},
	{2, (*soak).annoy},
}

// change does something at random.
func (s *soak) change() {
	total := 0
	for _, a := range actions {
		total += a.weight
	}
	n := s.random.IntN(total)
	for _, a := range actions {
		if n -= a.weight; n < 0 {
			a.do(s)
			return
		}
	}
}

// simulated is a service of the simulated node.
type simulated interface {
	Crash() error
	Recover() error
}

// service makes a service healthy, hang or fail.
func (s *soak) service(l *timeline, service simulated, hanging string) {
	set := jicofo
	if l == s.node.prosody {
		set = prosody
	}
	recovers := func() { testbed.Must(s.t, service.Recover()) }
	switch n := s.random.IntN(10); {
	case n < 5:
		l.change(stateHealthy, recovers)
	case n < 7:
		l.change(stateHangs, func() { recovers(); set(hanging)(s.t, s.shard) })
	case n < 8:
		l.change(stateFails, func() { testbed.Must(s.t, service.Crash()) })
	default:
		behaviors := []string{"code 503", "code 500", "reset", "close", "garbage", "huge", "redirect loop", "truncate"}
		behavior := behaviors[s.random.IntN(len(behaviors))]
		l.change(stateFails, func() { recovers(); set(behavior)(s.t, s.shard) })
	}
}

// words are what the status file is set to.
var words = []string{"ready", "ready", "ready", "ready", "drain", "maint", "unhealthy", "nonsense", "missing"}

// edit changes the status file.
func (s *soak) edit() {
	word := words[s.random.IntN(len(words))]
	s.node.word.change(word, func() {
		switch {
		case word == "missing":
			_ = os.Remove(s.shard.StatusPath) // it may be missing already
		case s.random.IntN(2) == 0:
			s.shard.Say(s.t, word)
		default: // truncated and written in place
			testbed.Must(s.t, os.WriteFile(s.shard.StatusPath, []byte(word), 0o600))
		}
	})
}

// restart ends the first sidecar and starts it again.
func (s *soak) restart() {
	k := s.soakers[0]
	k.stopping.Store(true)
	how := []os.Signal{syscall.SIGKILL, syscall.SIGTERM}[s.random.IntN(2)]
	_, _ = k.Stop(s.t, how)
	k.begin(s.t)
	k.judge.restarted()
	k.stopping.Store(false)
}

// freeze stops the second sidecar for some time.
func (s *soak) freeze() {
	k := s.soakers[1]
	k.Signal(s.t, syscall.SIGSTOP)
	<-time.After(time.Duration(s.random.IntN(2000)) * time.Millisecond)
	k.Signal(s.t, syscall.SIGCONT)
}

// annoy lets clients misbehave.
func (s *soak) annoy() {
	k := s.soakers[s.random.IntN(2)]
	for range 50 {
		c, err := net.DialTimeout("tcp", []string{k.Agent, k.HTTP}[s.random.IntN(2)], testbed.Bound)
		if err != nil {
			return
		}
		defer c.Close()
		_, _ = c.Write([]byte("\x00garbage\r\n\r\n"))
		if s.random.IntN(2) == 0 {
			_ = c.(*net.TCPConn).SetLinger(0)
		}
	}
}

// heal makes the node healthy and ready.
func (s *soak) heal() {
	s.t.Helper()
	testbed.Must(s.t, s.shard.Jicofo.Recover())
	testbed.Must(s.t, s.shard.Prosody.Recover())
	s.shard.Say(s.t, "ready")
}

// log logs the latest states of the node.
func (n *truth) log(t *testing.T) {
	t.Helper()
	for name, l := range map[string]*timeline{"jicofo": n.jicofo, "prosody": n.prosody, "word": n.word} {
		l.mu.Lock()
		for _, s := range l.states[max(0, len(l.states)-6):] {
			t.Logf("%s was %s from %s to %s", name, s.value, s.from.Format(time.StampMilli), s.until.Format(time.StampMilli))
		}
		l.mu.Unlock()
	}
}

// busy knows when this process, which is also the simulated node, was too slow for its replies to mean anything.
type busy struct {
	mu     sync.Mutex
	beat   time.Time // the end of the latest measurement
	latest time.Time // the same of the latest that took too long
}

// slow is how long a healthy service may take.
const slow = soakTimeout / 4

// watch measures until the end of the test how long a service of this process takes to reply.
func (b *busy) watch(t *testing.T) {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	stop, ended := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		pace := time.NewTicker(50 * time.Millisecond)
		defer pace.Stop()
		for last := time.Now(); ; last = time.Now() {
			select {
			case <-stop:
				return
			case <-pace.C:
			}
			testbed.Get(server.URL)
			b.measured(last)
		}
	}()
	t.Cleanup(func() { close(stop); <-ended; server.Close() })
}

func (b *busy) measured(last time.Time) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.beat = time.Now(); b.beat.Sub(last) > slow {
		b.latest = b.beat
	}
}

// since reports whether the process has been too slow since a time, or may be now.
func (b *busy) since(from time.Time) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.latest.After(from) || time.Since(b.beat) > slow
}
