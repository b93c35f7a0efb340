package signalnode

import (
	"context"
	"fmt"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// The replies themselves are compared with those of a real Consul in e2e/.

// request returns the reply to a request of a client that does not go away.
func request(c *Consul, method, target, body string) *httptest.ResponseRecorder {
	w := httptest.NewRecorder()
	c.ServeHTTP(w, httptest.NewRequest(method, target, strings.NewReader(body)))
	return w
}

func TestConsulBlockingQuery(t *testing.T) {
	for _, tt := range []struct {
		name, path string
		// ends is a change that ends the query, others are some that do not.
		ends, others func(d Datacenter)
	}{
		{
			"key", "/v1/kv/a/1",
			func(d Datacenter) { d.Put("a/1", "drain") },
			func(d Datacenter) { d.Put("a/2", "drain"); d.Put("a/1", "ready"); d.Delete("b") },
		},
		{
			"deletion", "/v1/kv/a/1?stale",
			func(d Datacenter) { d.Delete("a/1") },
			func(d Datacenter) { d.Delete("a/2"); d.Delete("b") },
		},
		{
			"missing key", "/v1/kv/a/3",
			func(d Datacenter) { d.Put("a/3", "ready") },
			func(d Datacenter) { d.Put("a/2", "drain"); d.Delete("a/1"); d.Delete("b") },
		},
		{
			"prefix", "/v1/kv/a/?recurse",
			func(d Datacenter) { d.Delete("a/2") },
			func(d Datacenter) { d.Put("b", "drain"); d.Put("b/", "drain") },
		},
		{
			"service", "/v1/health/service/signal",
			func(d Datacenter) { d.Deregister("signal", "s1") },
			func(d Datacenter) { d.Register(Instance{Service: "jvb", ID: "j1"}); d.Put("a/1", "drain") },
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c := NewConsul()
				d := c.Datacenter("")
				for _, key := range []string{"a/1", "a/2", "b"} {
					d.Put(key, "ready")
				}
				d.Register(Instance{Service: "signal", ID: "s1"})
				index := request(c, "GET", tt.path, "").Header().Get("X-Consul-Index")
				separator := "?"
				if strings.Contains(tt.path, "?") {
					separator = "&"
				}
				path := tt.path + separator + "wait=1m&index=" + index
				start := time.Now()
				if after := request(c, "GET", path, "").Header().Get("X-Consul-Index"); after != index {
					t.Errorf("without a change: got index %s; want %s", after, index)
				}
				if took := time.Since(start); took != time.Minute {
					t.Errorf("without a change: took %s; want 1m", took)
				}
				replies := make(chan *httptest.ResponseRecorder, 1)
				go func() { replies <- request(c, "GET", path, "") }()
				synctest.Wait()
				tt.others(d)
				synctest.Wait()
				if len(replies) > 0 {
					t.Fatal("the query was ended by a change of something else")
				}
				tt.ends(d)
				synctest.Wait()
				if len(replies) == 0 {
					t.Fatal("the query was not ended by the change")
				}
				if after := (<-replies).Header().Get("X-Consul-Index"); after == index {
					t.Errorf("after the change: the index is still %s", index)
				}
			})
		})
	}
}

func TestConsulBlockingQueryEndsWithItsClient(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := NewConsul()
		ctx, cancel := context.WithCancel(t.Context())
		r := httptest.NewRequestWithContext(ctx, "GET", "/v1/kv/a?index=100", nil)
		done := make(chan struct{})
		go func() { c.ServeHTTP(httptest.NewRecorder(), r); close(done) }()
		synctest.Wait()
		cancel()
		<-done
	})
}

// Of operators who set the same key at the same time with check-and-set, one succeeds; of transactions, likewise.
func TestConsulConcurrentWrites(t *testing.T) {
	c := NewConsul()
	transaction := `[{"KV":{"Verb":"cas","Key":"b","Value":"eA==","Index":0}},{"KV":{"Verb":"set","Key":"c%d"}}]`
	var wins sync.Map
	var group sync.WaitGroup
	for i := range 20 {
		group.Go(func() {
			if strings.TrimSpace(request(c, "PUT", "/v1/kv/a?cas=0", fmt.Sprint(i)).Body.String()) == "true" {
				wins.Store(fmt.Sprint("put ", i), true)
			}
			if request(c, "PUT", "/v1/txn", fmt.Sprintf(transaction, i)).Code == 200 {
				wins.Store(fmt.Sprint("transaction ", i), true)
			}
		})
	}
	group.Wait()
	var won []string
	wins.Range(func(key, _ any) bool { won = append(won, key.(string)); return true })
	if keys := c.Datacenter("").Keys(""); len(won) != 2 || len(keys) != 3 {
		t.Errorf("got %q and the keys %q; want one put, one transaction, and the keys a, b and one c", won, keys)
	}
}

func TestConsulDatacenters(t *testing.T) {
	c := NewConsul("east", "west")
	c.Datacenter("west").Put("a", "ready")
	for _, tt := range []struct {
		path string
		code int
	}{
		{"/v1/kv/a", 404},
		{"/v1/kv/a?dc=east", 404},
		{"/v1/kv/a?dc=west", 200},
		{"/v1/kv/a?dc=north", 500},
	} {
		if got := request(c, "GET", tt.path, ""); got.Code != tt.code {
			t.Errorf("%s: got %d %q; want %d", tt.path, got.Code, got.Body, tt.code)
		}
	}
}
