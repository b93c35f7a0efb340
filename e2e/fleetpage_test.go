package e2e

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/signal-sidecar/signal-sidecar/signalnode"
	"github.com/signal-sidecar/signal-sidecar/testbed"
)

// putShard sets the wanted state and the report of a shard.
func putShard(d signalnode.Datacenter, shard, wanted, line string) {
	words := strings.Fields(line)
	d.Put("shard-states/prod/"+shard, wanted)
	d.Put("signal-report/prod/"+shard, fmt.Sprintf(`{"time":%q,"healthy":%t,"status":%q,"weight":%q,"agentmessage":%q,`+
		`"services":{"jicofoHealthy":%[2]t,"jicofoStatusCode":500,"jicofoStatusContents":"No <b>bridges</b>",`+
		`"prosodyHealthy":true},`+
		`"statuses":{"statusFileFound":true,"statusFileContents":%[3]q},"stats":{"jicofoParticipants":3}}`,
		time.Now().UTC().Format(time.RFC3339Nano), words[0] == "up", words[1], words[2], line))
}

// TestFleetPage watches a fleet in a browser: changes of states, hostile text, a shard's own page, and an outage of
// Consul.
func TestFleetPage(t *testing.T) {
	kv := signalnode.NewConsul()
	var broken atomic.Bool
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if broken.Load() {
			http.Error(w, "No cluster leader", http.StatusInternalServerError)
			return
		}
		kv.ServeHTTP(w, r)
	}))
	t.Cleanup(server.Close)
	t.Cleanup(server.CloseClientConnections)
	d := startDemo(t, vars{"CONSUL_FLEET": "true", "CONSUL_HTTP_ADDR": server.URL})
	dc := kv.Datacenter("")
	putShard(dc, "shard1", "ready", "up ready 100%")
	putShard(dc, "shard2", "ready", "up ready 100%")
	host, port, _ := strings.Cut(strings.TrimPrefix(d.origin, "http://"), ":")
	dc.Register(signalnode.Instance{Service: "signal", ID: "shard1", Meta: map[string]string{
		"environment": "prod", "shard": "shard1", "release_number": "42",
		"signal_sidecar_http_ip": host, "signal_sidecar_http_port": port,
	}})

	b := openBrowser(t)
	b.goTo(t, d.origin+"/")
	evaluate[any](t, b, `document.querySelector("header a").click()`)
	b.awaitText(t, "#fleet", "2 shards: 2 ready")
	b.awaitText(t, "#live", "live")
	evaluate[int](t, b, "window.notReloaded = 1")

	b.choose(t, `[...document.querySelectorAll("#fleet td")].find((cell) => cell.innerText === "shard1")`)
	putShard(dc, "shard2", "ready", "down ready 100%")
	b.awaitText(t, "#fleet tbody:first-of-type", "shard2")
	b.awaitText(t, "#fleet tbody:first-of-type .details", "jicofo answered 500: No <b>bridges</b>")
	if got := b.selected(t); got != "shard1" { // the second row now
		t.Errorf("selected is %q", got)
	}
	if class := evaluate[string](t, b, `document.querySelector("#fleet b").className`); class != "down" {
		t.Errorf("the first state looks like %q", class)
	}
	if icon := evaluate[string](t, b, `document.getElementById("icon").getAttribute("href")`); !strings.HasPrefix(
		icon, "/assets/down-") {
		t.Errorf("the icon is %q", icon)
	}
	if title := evaluate[string](t, b, "document.title"); title != "Fleet: 2 shards: 1 ready, 1 down; 1 gone" {
		t.Errorf("the title is %q", title)
	}
	dc.Put(`shard-states/prod/<img src=x onerror="hacked=1">`, "\x1b[2J<script>hacked=1</script>")
	b.awaitText(t, "#fleet", `<img src=x onerror=\"hacked=1\">`)
	if evaluate[bool](t, b, "'hacked' in window") {
		t.Error("a text of Consul's was run")
	}

	broken.Store(true)
	server.CloseClientConnections()
	b.awaitText(t, ".problems", "Consul cannot be read. What is shown was last read 0:")
	b.awaitText(t, ".problems", "No cluster leader")
	b.awaitText(t, ".problems", "ago, at ")
	age := b.text(t, ".problems time")
	testbed.Eventually(t, "the age to grow", bound, func() bool { return b.text(t, ".problems time") > age })
	if !strings.Contains(b.text(t, "#fleet"), "shard1") {
		t.Error("what was read last is gone")
	}
	broken.Store(false)
	testbed.Eventually(t, "the end of the outage", bound, func() bool { return b.text(t, ".problems") == "" })
	if evaluate[int](t, b, "window.notReloaded ?? 0") != 1 {
		t.Error("the page was loaded anew")
	}
	for _, width := range []int64{320, 768} {
		for _, scheme := range []string{"light", "dark"} {
			b.look(t, width, 800, scheme)
			b.wantFit(t, width)
			for _, box := range evaluate[[]float64](t, b,
				`[...document.querySelectorAll("#fleet b")].map((state) => state.getBoundingClientRect().right)`) {
				if box > float64(width) {
					t.Errorf("%d wide: the word of a state ends at %.0f", width, box)
				}
			}
		}
	}
	b.wantQuiet(t, d.origin)
	evaluate[any](t, b, `[...document.querySelectorAll("#fleet td a")].find((a) => a.innerText === "shard1").click()`)
	b.awaitText(t, "h1", "Up")
}
