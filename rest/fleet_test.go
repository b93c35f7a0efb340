package rest

import (
	"context"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"
	"unicode"

	"golang.org/x/net/html"

	"github.com/signal-sidecar/signal-sidecar/testbed"
)

// tables is a Fleet whose table is set by a test.
type tables struct {
	mu          sync.Mutex
	table       *FleetTable // nil before the first
	changed     chan struct{}
	subscribers int
}

func newTables() *tables { return &tables{changed: make(chan struct{})} }

func (f *tables) set(t *FleetTable) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.table = t
	close(f.changed)
	f.changed = make(chan struct{})
}

func (f *tables) count(n int) int {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.subscribers += n
	return f.subscribers
}

func (f *tables) Subscribe(ctx context.Context) <-chan *FleetTable {
	all := make(chan *FleetTable)
	f.count(1)
	go func() {
		defer close(all)
		defer f.count(-1)
		for ctx.Err() == nil {
			f.mu.Lock()
			table, changed := f.table, f.changed
			f.mu.Unlock()
			if table != nil {
				select {
				case all <- table:
				case <-ctx.Done():
				}
			}
			select {
			case <-changed:
			case <-ctx.Done():
			}
		}
	}()
	return all
}

func (f *tables) JSON(ctx context.Context) ([]byte, bool) {
	t := <-f.Subscribe(ctx)
	if t == nil {
		return nil, false
	}
	return render(map[string]any{
		"time": "2026-01-02T03:04:05Z", "shards": []any{}, "problems": append([]string{}, t.Problems...),
	}), len(t.Problems) == 0
}

// shard returns a table with one shard.
func shard(state string) *FleetTable {
	return &FleetTable{
		Columns: []string{"shard", "state", "age"}, Summary: "1 shard: 1 " + state,
		Rows: []FleetRow{{State: state, URL: "http://10.0.0.1:6001/", Details: []string{"by alice"}, Cells: []FleetCell{
			{Text: "shard1"}, {Text: state}, {Text: "12s", Time: time.Now().Add(-12 * time.Second)},
		}}},
	}
}

// TestFleetPage checks the page before and after the first table, its events, and that it stops its subscriptions.
func TestFleetPage(t *testing.T) {
	t.Parallel()
	all := newTables()
	r := startServer(t, setup{fleet: all})
	page := r.ask(t, "GET", fleetPath).body
	if !strings.Contains(page, "Nothing has been read yet") || strings.Contains(page, "<table>") {
		t.Errorf("before the first table:\n%s", page)
	}
	all.set(shard("ready"))
	answer := r.openPath(t, "GET", fleetEventsPath)
	s := newEventStream(answer)
	if e := s.next(t); e.name != "clock" || all.count(0) != 1 {
		t.Errorf("the first event is %s, with %d subscriptions", e, all.count(0))
	}
	s.awaitPage(t, `<b class="up">ready</b>`)
	r.awaitStreams(t, 1)
	all.set(shard("down"))
	s.awaitPage(t, `data-title="Fleet: 1 shard: 1 down"`)
	page = r.ask(t, "GET", fleetPath).body
	wantNothingInline(t, page)
	for _, want := range []string{
		`<title>Fleet: 1 shard: 1 down</title>`, `<a href="http://10.0.0.1:6001/" rel="noreferrer">shard1</a>`,
		`<b class="down">down</b>`, `<td colspan="3"><p>by alice</p>`, `<a href="/">this shard</a>`,
		`data-events="/fleet/events"`, `<a href="/fleet.json">`, loadAssets().paths["down.svg"],
	} {
		if !strings.Contains(page, want) {
			t.Errorf("the page has no %s", want)
		}
	}
	if !regexp.MustCompile(`>0:(1[2-9]|[2-5]\d)</time>`).MatchString(page) {
		t.Errorf("no age in %s", page)
	}
	if page := r.ask(t, "GET", "/").body; !strings.Contains(page, `<a href="/fleet">fleet</a>`) {
		t.Error("the page of the shard has no link to the fleet")
	}
	s.Close()
	r.awaitStreams(t, 0)
	testbed.Eventually(t, "the end of the subscriptions", bound, func() bool { return all.count(0) == 0 })
}

// TestFleetOutage checks that the page shows what cannot be read, and the age of what it shows.
func TestFleetOutage(t *testing.T) {
	t.Parallel()
	all := newTables()
	r := startServer(t, setup{fleet: all})
	old := shard("ready")
	old.Problems, old.Outdated = []string{"read shard-states/ from Consul: refused"}, time.Now().Add(-75*time.Second)
	all.set(old)
	page := r.ask(t, "GET", fleetPath).body
	for _, want := range []string{"was last read <time", "</time> ago", "<li>read shard-states/ from Consul: refused", "shard1",
		loadAssets().paths["none.svg"]} {
		if !strings.Contains(page, want) {
			t.Errorf("the page has no %s", want)
		}
	}
	all.set(&FleetTable{Summary: "0 shards", Problems: old.Problems})
	if page := r.ask(t, "GET", fleetPath).body; !strings.Contains(page, "Consul cannot be read.</p>") ||
		strings.Contains(page, "last read") {
		t.Errorf("with nothing read:\n%s", page)
	}
}

// TestFleetHostileText checks that names, values and errors from Consul are shown as text.
func TestFleetHostileText(t *testing.T) {
	t.Parallel()
	const controls = "\x1b[2J\u009b\u202e"
	text := hostile + controls
	all := newTables()
	all.set(&FleetTable{
		Columns: []string{text, text, text}, Summary: text, Problems: []string{text}, Notes: []string{text},
		Outdated: time.Now(),
		Rows: []FleetRow{{State: text, URL: "javascript:alert(1)//" + text, Details: []string{text}, Cells: []FleetCell{
			{Text: text}, {Text: text}, {Text: text},
		}}},
	})
	r := startServer(t, setup{fleet: all})
	page := r.ask(t, "GET", fleetPath).body
	wantNothingInline(t, page)
	if n := strings.Count(html.UnescapeString(page), "<script>alert(1)</script>"); n < 7 {
		t.Errorf("%d of the texts are shown", n)
	}
	s := newEventStream(r.openPath(t, "GET", fleetEventsPath))
	s.next(t)
	s.next(t)
	e := s.next(t)
	if e.name != "page" || strings.Contains(e.data, "<script") || !strings.Contains(e.data, `</section>`) {
		t.Errorf("the event is %s: %s", e.name, e.data)
	}
	for _, shown := range []string{page, e.data} {
		for _, c := range shown {
			if c != '\n' && c != '\t' && unicode.IsControl(c) {
				t.Fatalf("it has the control character %q", c)
			}
		}
	}
}

// TestFleetJSON checks the codes of the JSON, and that all paths are 404 without a fleet.
func TestFleetJSON(t *testing.T) {
	t.Parallel()
	all := newTables()
	r := startServer(t, setup{fleet: all})
	all.set(shard("ready"))
	if got := r.ask(t, "GET", fleetJSONPath); got.code != 200 || !strings.Contains(got.body, `"problems":[]`) {
		t.Errorf("%d %s", got.code, got.body)
	}
	all.set(&FleetTable{Problems: []string{"refused"}})
	if got := r.ask(t, "GET", fleetJSONPath); got.code != 503 || !strings.Contains(got.body, `"problems":["refused"]`) {
		t.Errorf("with a problem: %d %s", got.code, got.body)
	}
	without := startServer(t, setup{})
	for _, path := range []string{fleetPath, fleetEventsPath, fleetJSONPath} {
		if got := without.ask(t, "GET", path); got.code != 404 {
			t.Errorf("%s: %d", path, got.code)
		}
	}
	if page := without.ask(t, "GET", "/").body; strings.Contains(page, "/fleet") {
		t.Error("the page of the shard links to a fleet that is not served")
	}
}

// TestFleetIcon checks that the tab's icon shows the worst state of the fleet, and that an old report is no good news.
func TestFleetIcon(t *testing.T) {
	t.Parallel()
	row := func(state string) FleetRow { return FleetRow{State: state, Cells: []FleetCell{{Text: state}}} }
	outdated := func(state string) FleetRow {
		r := row(state)
		r.Outdated = true
		return r
	}
	damped := row("down")
	damped.Damped = true
	for _, tt := range []struct {
		want string
		rows []FleetRow
	}{
		{"none", nil},
		{"up", []FleetRow{row("maint"), row("drain"), row("ready")}},
		{"none", []FleetRow{row("none"), row("ready")}},
		{"none", []FleetRow{outdated("ready"), row("ready")}},
		{"unknown", []FleetRow{row("ready"), row("unknown"), row("none")}},
		{"damped", []FleetRow{damped, row("unknown")}},
		{"down", []FleetRow{row("down"), damped, row("ready")}},
		{"down", []FleetRow{outdated("down")}},
	} {
		v := new(fleetPage).view(&FleetTable{Rows: tt.rows}, time.Now())
		if v.Icon != loadAssets().paths[tt.want+".svg"] {
			t.Errorf("%+v: the icon is %s, want %s", tt.rows, v.Icon, tt.want)
		}
	}
}
