package main_test

import (
	"bufio"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/signal-sidecar/signal-sidecar/signalnode"
	"github.com/signal-sidecar/signal-sidecar/testbed"
	"github.com/signal-sidecar/signal-sidecar/testbed/node"
)

// queries is a Consul that counts the requests of each list.
type queries struct {
	next http.Handler

	mu         sync.Mutex
	all        int
	open, most map[string]int
}

func (q *queries) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	add := func(n int) {
		q.mu.Lock()
		defer q.mu.Unlock()
		q.all += max(n, 0)
		q.open[r.URL.Path] += n
		q.most[r.URL.Path] = max(q.most[r.URL.Path], q.open[r.URL.Path])
	}
	add(1)
	defer add(-1)
	q.next.ServeHTTP(w, r)
}

// total returns the number of requests until now.
func (q *queries) total() int {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.all
}

// TestFleetPage serves the page of a fleet to several clients with one set of queries, and with none before.
func TestFleetPage(t *testing.T) {
	t.Parallel()
	n, kv := node.Start(t), signalnode.NewConsul()
	q := &queries{next: kv, open: map[string]int{}, most: map[string]int{}}
	server := httptest.NewServer(q)
	t.Cleanup(server.Close)
	t.Cleanup(server.CloseClientConnections)
	s := testbed.StartSidecar(t, testbed.Quick.With(n.Settings()).With(vars{
		"CONSUL_HTTP_ADDR": server.URL, "CONSUL_FLEET": "true",
	}))
	s.Becomes(t, "up ready 100%")
	dc := kv.Datacenter("")
	for shard, port := range map[string]string{"s1": "6001", "s2": "", "s3": "1/;x"} {
		dc.Put("shard-states/prod/"+shard, "ready")
		dc.Put("signal-report/prod/"+shard, shardReport(0, "up ready 100%", 7))
		meta := map[string]string{"environment": "prod", "shard": shard, "signal_sidecar_http_ip": "10.0.0.1"}
		if port != "" {
			meta["signal_sidecar_http_port"] = port
		}
		dc.Register(signalnode.Instance{Service: "signal", ID: shard, Meta: meta})
	}
	if n := q.total(); n > 0 {
		t.Errorf("%d requests although nobody looks", n)
	}
	code, page := testbed.Get("http://" + s.HTTP + "/fleet")
	for _, want := range []string{
		`<a href="http://10.0.0.1:6001/" rel="noreferrer">s1</a>`, `<a href="http://10.0.0.1:6000/" rel="noreferrer">s2</a>`,
		`<td data-label="shard">s3</td>`, "Browsers refuse some", "3 shards: 3 ready", `<th scope="col">users</th>`,
		`<td data-label="users">7</td>`,
	} {
		if !strings.Contains(page, want) {
			t.Errorf("%d: the page has no %s", code, want)
		}
	}
	var clients []*bufio.Scanner
	for range 5 {
		clients = append(clients, openFleetEvents(t, s.HTTP))
	}
	dc.Put("shard-states/prod/s1", "drain")
	dc.Put("signal-report/prod/s1", shardReport(0, "up drain 0%", 3))
	for _, c := range clients {
		found := false
		for !found && c.Scan() {
			found = strings.Contains(c.Text(), "2 ready, 1 drain")
		}
		if !found {
			t.Errorf("no event shows the drain: %v", c.Err())
		}
	}
	dc.Put("signal-report/prod/s2", shardReport(-3*time.Second, "up ready 100%", 7))
	newer := time.Now().Add(2 * time.Second).UnixMilli()
	found := false
	for c := clients[0]; !found && c.Scan(); {
		for _, m := range regexp.MustCompile(`data-since="(\d+)"`).FindAllStringSubmatch(c.Text(), -1) {
			since, _ := strconv.ParseInt(m[1], 10, 64)
			found = found || since > newer
		}
	}
	if !found {
		t.Errorf("no event has the time of a new report with the same content: %v", clients[0].Err())
	}
	_, document := testbed.Get("http://" + s.HTTP + "/fleet.json")
	f := parseFleet(t, document)
	if len(f.Shards) != 3 || f.Shards[0].State != "drain" {
		t.Errorf("the JSON is %+v", f)
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	for path, most := range q.most {
		if most > 1 {
			t.Errorf("%d queries of %s at once", most, path)
		}
	}
}

// openFleetEvents returns the lines of the events of the page /fleet.
func openFleetEvents(t *testing.T, address string) *bufio.Scanner {
	t.Helper()
	conn, err := net.Dial("tcp", address)
	testbed.Must(t, err)
	t.Cleanup(func() { conn.Close() })
	testbed.Must(t, conn.SetDeadline(time.Now().Add(bound)))
	_, err = fmt.Fprintf(conn, "GET /fleet/events HTTP/1.1\r\nHost: %s\r\n\r\n", address)
	testbed.Must(t, err)
	lines := bufio.NewScanner(conn)
	lines.Buffer(nil, 1<<20)
	return lines
}
