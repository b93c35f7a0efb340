package fleet

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/hashicorp/consul/api"

	"github.com/signal-sidecar/signal-sidecar/signalnode"
	"github.com/signal-sidecar/signal-sidecar/testbed"
)

// bound limits how long a test waits.
const bound = 20 * time.Second

// serve serves a handler as Consul's HTTP API, and returns the options to read it.
func serve(t *testing.T, h http.Handler) Options {
	t.Helper()
	server := httptest.NewServer(h)
	transport := &http.Transport{MaxIdleConnsPerHost: 8}
	t.Cleanup(func() {
		transport.CloseIdleConnections()
		server.Close()
	})
	client, err := api.NewClient(&api.Config{
		Address: server.URL, Token: "secret", HttpClient: &http.Client{Transport: transport},
	})
	testbed.Must(t, err)
	return Options{Client: client, Address: server.URL, StaleAfter: 180 * time.Second, CheckTime: 50 * time.Millisecond}
}

// fresh returns a report that is new.
func fresh(up, word string, participants int) string {
	text := reportOf(0, up, word, participants, "")
	return strings.Replace(text, now.Format(time.RFC3339Nano), time.Now().UTC().Format(time.RFC3339Nano), 1)
}

// short returns each row as name, state, wanted state and marks.
func short(v *View) string {
	var all []string
	for _, r := range v.Rows {
		text := fmt.Sprintf("%s:%s/%s %s %s", r.Datacenter, r.Environment, r.Shard, r.State, r.Wanted)
		for _, m := range r.Marks {
			text += " " + string(m)
		}
		all = append(all, text)
	}
	return strings.Join(all, ", ")
}

// TestRead reads two datacenters with keys of all kinds.
func TestRead(t *testing.T) {
	t.Parallel()
	c := signalnode.NewConsul("east", "west")
	east, west := c.Datacenter("east"), c.Datacenter("west")
	for _, d := range []signalnode.Datacenter{east, west} {
		d.Put("shard-states/prod/s1", "ready")
		d.Put("signal-report/prod/s1", fresh("up", "ready", 3))
	}
	east.Put("shard-states/", "")
	east.Put("shard-states/prod/", "")
	east.Put("shard-states/test/\x1b[2J", "\x1b[2Jdrain")
	east.Put("shard-audit/prod/s1", `{"state":"ready","by":"alice@ops","at":"2026-01-02T03:04:05Z"}`)
	west.Put("signal-report/prod/s2", "<html>")
	west.Register(signalnode.Instance{Service: "signal", ID: "a", Address: "10.0.0.1", Meta: map[string]string{
		"environment": "prod", "shard": "s1", "release_number": "7",
		"signal_sidecar_http_ip": "10.0.0.9", "signal_sidecar_http_port": "7000",
	}})
	west.Register(signalnode.Instance{Service: "signal", ID: "b", Address: "10.0.0.1"})
	o := serve(t, c)

	for name, want := range map[string]string{
		"all": "west:prod/s2 none  broken gone, east:test/\x1b[2J none \x1b[2Jdrain silent, " +
			"east:prod/s1 ready ready, west:prod/s1 ready ready",
		"":     ":test/\x1b[2J none \x1b[2Jdrain silent, :prod/s1 ready ready",
		"west": "west:prod/s2 none  broken gone, west:prod/s1 ready ready",
	} {
		o.Datacenter = name
		v, pending := NewReader(o).Read(t.Context())
		if got := short(v); got != want || pending || v.Problems != nil {
			t.Errorf("%s: %s, %t, %v", name, got, pending, v.Problems)
		}
		if name == "west" {
			if r := v.Rows[1]; r.Release != "7" || r.Address != "10.0.0.9:7000" {
				t.Errorf("row %+v", r)
			}
		}
		if name == "" {
			if a := v.Rows[1].Audit; a == nil || a.By != "alice@ops" {
				t.Errorf("audit %+v", a)
			}
		}
	}
	o.Datacenter, o.Environment = "east", "test"
	if v, _ := NewReader(o).Read(t.Context()); len(v.Rows) != 1 {
		t.Errorf("environment test: %s", short(v))
	}
	o.Datacenter = "north"
	v, _ := NewReader(o).Read(t.Context())
	if len(v.Rows) != 0 || len(v.Problems) != 1 || !strings.Contains(v.Problems[0],
		" of datacenter north: Consul at "+o.Address) || !strings.Contains(v.Problems[0], "No path to datacenter") {
		t.Errorf("datacenter north: %q", v.Problems)
	}
}

// TestBadConsul reads from servers that are not a working Consul.
func TestBadConsul(t *testing.T) {
	t.Parallel()
	for answer, want := range map[string]string{
		"200 <html>login": "sent no valid JSON",
		"404 not found":   "404",
		"429 slow down":   "slow down",
		"403 Permission":  "Permission",
		"200 []":          "the ACL token may not read any of it",
		"200 [null]":      "contains null",
		"hang":            "gave no complete reply at ",
	} {
		o := serve(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			code := 0
			if _, err := fmt.Sscan(answer, &code); err != nil {
				<-r.Context().Done()
				return
			}
			if code == http.StatusOK {
				w.Header().Set("X-Consul-LastContact", "0")
				w.Header().Set("X-Consul-Results-Filtered-By-ACLs", "true")
			}
			w.WriteHeader(code)
			fmt.Fprint(w, answer[4:])
		}))
		limit := bound
		if answer == "hang" {
			limit = 50 * time.Millisecond
		}
		ctx, cancel := context.WithTimeout(t.Context(), limit)
		v, _ := NewReader(o).Read(ctx)
		cancel()
		if len(v.Rows) != 0 || len(v.Problems) != 1 || !strings.Contains(v.Problems[0], want) ||
			!strings.Contains(v.Problems[0], ": Consul ") ||
			!strings.Contains(v.Problems[0], strings.TrimPrefix(o.Address, "http://")) ||
			strings.Contains(v.Problems[0], "secret") {
			t.Errorf("%s: %s, %q", answer, short(v), v.Problems)
		}
	}
}

// counting counts the requests that are being answered, by path.
type counting struct {
	next http.Handler

	mu     sync.Mutex
	open   map[string]int
	most   map[string]int
	broken atomic.Bool
}

func (c *counting) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if c.broken.Load() {
		w.WriteHeader(http.StatusInternalServerError)
		fmt.Fprint(w, "No cluster leader")
		return
	}
	c.mu.Lock()
	c.open[r.URL.Path]++
	c.most[r.URL.Path] = max(c.most[r.URL.Path], c.open[r.URL.Path])
	c.mu.Unlock()
	c.next.ServeHTTP(w, r)
	c.mu.Lock()
	c.open[r.URL.Path]--
	c.mu.Unlock()
}

// total returns the number of requests that are being answered.
func (c *counting) total() (n int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, open := range c.open {
		n += open
	}
	return n
}

// await waits for a view that has these rows.
func await(t *testing.T, views <-chan *View, want string) *View {
	t.Helper()
	limit, last := time.After(bound), "no view"
	for {
		select {
		case v := <-views:
			if last = short(v) + " " + strings.Join(v.Problems, ";"); strings.Contains(last, want) {
				return v
			}
		case <-limit:
			t.Fatalf("waited in vain for %s; the last view was %s", want, last)
		}
	}
}

// TestWatch follows a fleet for many subscribers with one set of queries, through an outage, and ends the queries with
// the last subscriber.
func TestWatch(t *testing.T) {
	t.Parallel()
	consul := signalnode.NewConsul()
	d := consul.Datacenter("")
	d.Put("shard-states/prod/s1", "ready")
	d.Put("signal-report/prod/s1", fresh("up", "ready", 3))
	c := &counting{next: consul, open: map[string]int{}, most: map[string]int{}}
	o := serve(t, c)
	o.Linger = time.Second
	w := NewWatcher(o)
	ctx, stop := context.WithCancel(t.Context())
	ran := make(chan error, 1)
	go func() { ran <- w.Run(ctx) }()

	const subscribers = 10
	all, leave := make([]<-chan *View, subscribers), make([]context.CancelFunc, subscribers)
	for i := range all {
		var inner context.Context
		inner, leave[i] = context.WithCancel(ctx)
		all[i] = w.Subscribe(inner)
	}
	for _, views := range all {
		await(t, views, ":prod/s1 ready ready")
	}
	d.Put("shard-states/prod/s1", "drain")
	d.Put("signal-report/prod/s1", fresh("up", "drain", 3))
	for _, views := range all {
		await(t, views, ":prod/s1 drain drain")
	}
	c.broken.Store(true)
	d.Put("shard-states/prod/s2", "ready") // ends a query
	if v := await(t, all[0], "No cluster leader"); time.Since(v.Outdated) > bound || !v.Outdated.Before(v.At) {
		t.Errorf("at %s the view is outdated since %s", v.At, v.Outdated)
	}
	c.broken.Store(false)
	if v := await(t, all[0], ":prod/s2 none ready silent"); len(v.Problems) == 0 && !v.Outdated.IsZero() {
		t.Errorf("without a problem the view is outdated since %s", v.Outdated)
	}
	c.mu.Lock()
	for path, most := range c.most {
		if most > 1 {
			t.Errorf("%d queries of %s at once", most, path)
		}
	}
	c.mu.Unlock()
	for _, end := range leave {
		end()
	}
	inner, end := context.WithCancel(ctx)
	select {
	case <-w.Subscribe(inner): // of the queries that linger
	case <-time.After(o.Linger):
		t.Error("the queries did not linger")
	}
	end()
	testbed.Eventually(t, "the end of the queries", bound, func() bool { return c.total() == 0 })
	inner, end = context.WithCancel(ctx)
	await(t, w.Subscribe(inner), ":prod/s1 drain drain") // somebody looks again
	end()
	stop()
	if err := <-ran; err != nil {
		t.Error(err)
	}
}
