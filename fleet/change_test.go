package fleet

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/signal-sidecar/signal-sidecar/health"
	"github.com/signal-sidecar/signal-sidecar/signalnode"
	"github.com/signal-sidecar/signal-sidecar/testbed"
)

// prod returns a Consul with an environment prod that has these wanted states.
func prod(t *testing.T, states map[string]string) (signalnode.Datacenter, Options) {
	t.Helper()
	c := signalnode.NewConsul()
	d := c.Datacenter("")
	for shard, word := range states {
		d.Put("shard-states/prod/"+shard, word)
	}
	return d, serve(t, c)
}

// apply plans and commits a change.
func apply(ctx context.Context, o Options, c Change) ([]Changed, error) {
	p, err := o.Plan(ctx, c)
	if err != nil {
		return nil, err
	}
	return p.Commit(ctx)
}

// TestChange changes shards, and checks what is written and what is refused.
func TestChange(t *testing.T) {
	t.Parallel()
	const drain, ready = health.WordDrain, health.WordReady
	many := make([]string, 64)
	states := map[string]string{"s1": "ready", "s2": "ready\n", "s3": "drain", "\x1b[2J": "drain"}
	for i := range many {
		many[i] = fmt.Sprint("m", i)
		states[many[i]] = "drain"
	}
	d, o := prod(t, states)
	d.Put("shard-states/test/s1", "ready")
	d.Put("signal-report/test/onlyreport", "{}")
	meta := map[string]string{"environment": "test", "shard": "service"}
	d.Register(signalnode.Instance{Service: "signal", ID: "x", Meta: meta})
	inProd := o
	inProd.Environment = "prod"
	everywhere := o
	everywhere.Datacenter = AllDatacenters
	for _, c := range []struct {
		name    string
		o       Options
		change  Change
		refused string // part of the error, "" for none
	}{
		{"one of two", inProd, Change{Word: drain, Shards: []string{"s1"}}, ""},
		{"the last", o, Change{Word: drain, Shards: []string{"s2", "s2"}}, "environment prod would have no ready shard without s2"},
		{"drained already", o, Change{Word: drain, Shards: []string{"s3"}}, ""},
		{"back", inProd, Change{Word: ready, Shards: []string{"s1", "s3"}}, ""},
		{"all", inProd, Change{Word: drain, Shards: []string{"s1", "s2", "s3"}}, "would have no ready shard without s1, s2, s3"},
		{"all by force", inProd, Change{Word: drain, Shards: []string{"s1", "s2", "s3"}, Force: true}, ""},
		{"two environments", o, Change{Word: ready, Shards: []string{"s1"}}, "shard s1 is in the environments prod, test"},
		{"unknown", o, Change{Word: ready, Shards: []string{"s1x"}}, "shard s1x is unknown: Consul at " + o.Address},
		{"unknown in prod", inProd, Change{Word: ready, Shards: []string{"onlyreport"}}, "shard onlyreport is unknown"},
		{"unknown by force", o, Change{Word: ready, Shards: []string{"new"}, Force: true}, "--force needs --environment"},
		{"unknown by force in prod", inProd, Change{Word: drain, Shards: []string{"new"}, Force: true}, ""},
		{"new with an environment", inProd, Change{Word: drain, Shards: []string{"prod/new"}, Force: true}, "that has no /"},
		{"by its report", o, Change{Word: ready, Shards: []string{"onlyreport"}}, ""},
		{"by its service", o, Change{Word: health.WordMaint, Shards: []string{"service"}}, ""},
		{"odd name", o, Change{Word: ready, Shards: []string{"\x1b[2J"}}, ""},
		{"no name", o, Change{Word: ready, Shards: []string{"a/"}}, "a/ is not the name of a shard"},
		{"64 shards", o, Change{Word: ready, Shards: many}, ""},
		{"65 shards", o, Change{Word: drain, Shards: slices.Concat(many, []string{"onlyreport"}), Force: true}, "need 130 operations"},
		{"every datacenter", everywhere, Change{Word: ready, Shards: []string{"s1"}}, "one datacenter"},
	} {
		c.change.By, c.change.Reason = "alice@ops", "because of "+c.name
		before := d.Keys("")
		_, err := apply(t.Context(), c.o, c.change)
		switch {
		case (err == nil) != (c.refused == ""), err != nil && !strings.Contains(err.Error(), c.refused):
			t.Errorf("%s: %v", c.name, err)
		case err != nil && len(before) != len(d.Keys("")):
			t.Errorf("%s was refused, but wrote", c.name)
		}
	}
	for key, want := range map[string]string{
		"shard-states/prod/s1": "drain", "shard-states/prod/s3": "drain", "shard-states/test/s1": "ready",
		"shard-states/prod/new": "drain", "shard-states/test/onlyreport": "ready", "shard-states/test/service": "maint",
		"shard-states/prod/\x1b[2J": "ready", "shard-states/prod/m63": "ready",
	} {
		if got, _ := d.Get(key); got != want {
			t.Errorf("%q is %q, not %q", key, got, want)
		}
	}
	value, _ := d.Get("shard-audit/prod/s1")
	a := parseAudit([]byte(value))
	if a == nil || a.By != "alice@ops" || a.State != "drain" || a.Reason != "because of all by force" ||
		time.Since(time.Time(a.At)) > bound {
		t.Errorf("audit %s", value)
	}
}

// TestUnchanged checks that a shard that is in the state already is left alone, and that the result names who set it.
func TestUnchanged(t *testing.T) {
	t.Parallel()
	_, o := prod(t, map[string]string{"s1": "ready", "s2": "ready"})
	for _, by := range []string{"alice", "bob"} {
		changed, err := apply(t.Context(), o, Change{Word: health.WordDrain, Shards: []string{"s1"}, By: by})
		testbed.Must(t, err)
		if c := changed[0]; by == "bob" && (!c.Unchanged || c.Audit.By != "alice" || c.Before != "drain") {
			t.Errorf("%+v", c)
		}
	}
}

// TestTwoOperators lets two operators change the same shard, or the last two ready ones, at the same time, 200 times:
// one succeeds, and the other is told by whom the state was changed.
func TestTwoOperators(t *testing.T) {
	t.Parallel()
	d, o := prod(t, nil)
	for i := range 200 {
		d.Put("shard-states/prod/s1", "ready")
		d.Put("shard-states/prod/s2", "ready")
		shards := []string{"s1", "s1"}
		if i%2 == 1 {
			shards[1] = "s2"
		}
		var plans [2]*Plan
		for j := range plans {
			var err error
			plans[j], err = o.Plan(t.Context(), Change{
				Word: health.WordDrain, Shards: shards[j : j+1], By: fmt.Sprintf("operator%d-%d", i, j),
			})
			testbed.Must(t, err)
		}
		var errs [2]error
		var operators sync.WaitGroup
		for j, p := range plans {
			operators.Go(func() { _, errs[j] = p.Commit(t.Context()) })
		}
		operators.Wait()
		winner := 0
		if errs[0] != nil {
			winner = 1
		}
		lost := errs[1-winner]
		want := fmt.Sprintf("shard-states/prod/%s was changed meanwhile: drain by operator%d-%d at ", shards[winner], i, winner)
		if errs[winner] != nil || lost == nil || !strings.Contains(lost.Error(), want) {
			t.Fatalf("round %d: %v", i, errs)
		}
	}
	d.Put("shard-states/prod/s1", "ready")
	d.Put("shard-states/prod/s2", "ready")
	p, err := o.Plan(t.Context(), Change{Word: health.WordDrain, Shards: []string{"s1"}, By: "alice"})
	testbed.Must(t, err)
	d.Put("shard-states/prod/s1", "maint") // as curl would do
	_, err = p.Commit(t.Context())
	if err == nil || !strings.Contains(err.Error(), "by a client that keeps no shard-audit/") {
		t.Errorf("%v", err)
	}
}

// TestWait follows the conditions of a drain: reported, then shown by an HAProxy, then empty.
func TestWait(t *testing.T) {
	t.Parallel()
	d, o := prod(t, map[string]string{"s1": "ready", "s2": "ready"})
	var mu sync.Mutex
	status := "UP"
	lb := httptest.NewServer(statisticsOf(func() string {
		mu.Lock()
		defer mu.Unlock()
		return status
	}))
	t.Cleanup(lb.Close)
	withHAProxy := o
	withHAProxy.HAProxys = []*HAProxy{parse(t, lb.URL+"/;csv")}
	d.Put("signal-report/prod/s1", fresh("up", "drain", 0)) // put before the change
	p, err := o.Plan(t.Context(), Change{Word: health.WordDrain, Shards: []string{"s1"}})
	testbed.Must(t, err)
	_, err = p.Commit(t.Context())
	testbed.Must(t, err)

	// step waits until progress shows the text. The wait must then end by itself, or not if the text begins with "not ".
	step := func(condition string, o Options, want string) {
		t.Helper()
		text, vain := strings.CutPrefix(want, "not ")
		ctx, cancel := context.WithTimeout(t.Context(), bound)
		defer cancel()
		seen := ""
		err := p.Wait(ctx, condition, o, func(p Progress) {
			seen = strings.Join(p.Lines, ";")
			if strings.Contains(seen, text) && vain {
				cancel()
			}
		})
		if (err != nil) != vain || !strings.Contains(seen, text) {
			t.Errorf("%s: want %q, got %q, %v", condition, want, seen, err)
		}
	}
	step(WaitReported, o, "not s1: no report since the change")
	d.Put("signal-report/prod/s1", fresh("up", "ready", 2))
	step(WaitReported, o, "not s1: reports ready")
	d.Put("signal-report/prod/s1", fresh("up", "drain", 2))
	step(WaitReported, o, "s1: reports drain")
	step(WaitHAProxy, withHAProxy, "not s1: reports drain, shown by 0 of 1 HAProxys")
	mu.Lock()
	status = "DRAIN (agent)"
	mu.Unlock()
	step(WaitHAProxy, withHAProxy, "s1: reports drain, shown by 1 of 1 HAProxys")
	step(WaitEmpty, withHAProxy, "not shown by 1 of 1 HAProxys, 2 participants")
	d.Put("signal-report/prod/s1", fresh("up", "drain", 0))
	// That report may be older than HAProxy's state.
	step(WaitEmpty, withHAProxy, "not shown by 1 of 1 HAProxys, 0 participants")

	for _, o := range []Options{withHAProxy, o} {
		done := make(chan error, 1)
		go func() {
			ctx, cancel := context.WithTimeout(t.Context(), bound)
			defer cancel()
			done <- p.Wait(ctx, WaitEmpty, o, func(Progress) {})
		}()
		ended := false
		testbed.Eventually(t, "an empty shard", bound, func() bool {
			d.Put("signal-report/prod/s1", fresh("up", "drain", 0))
			select {
			case err := <-done:
				ended = true
				testbed.Must(t, err)
			case <-time.After(50 * time.Millisecond):
			}
			return ended
		})
	}
}

// TestRefusedTransaction checks that a refusal of Consul other than a conflict is not described as one.
func TestRefusedTransaction(t *testing.T) {
	t.Parallel()
	c := signalnode.NewConsul()
	c.Datacenter("").Put("shard-states/prod/s1", "drain")
	o := serve(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/v1/txn" {
			w.WriteHeader(http.StatusConflict)
			fmt.Fprint(w, `{"Results":null,"Errors":[{"OpIndex":0,"What":"Permission denied: lacks permission 'key:write'"}]}`)
			return
		}
		c.ServeHTTP(w, r)
	}))
	_, err := apply(t.Context(), o, Change{Word: health.WordReady, Shards: []string{"s1"}})
	want := "nothing was changed: write shard-states/prod/s1 to Consul at " + o.Address +
		": the transaction was refused: Permission denied: lacks permission 'key:write'"
	if err == nil || err.Error() != want {
		t.Errorf("%v", err)
	}
}
