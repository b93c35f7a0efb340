package rest

import (
	"context"
	"math"
	"net/http"
	"slices"
	"sync"
	"time"

	"github.com/gin-gonic/gin"
)

// The paths of the fleet: the page, its events, and the same for programs.
const (
	fleetPath       = "/fleet"
	fleetEventsPath = "/fleet/events"
	fleetJSONPath   = "/fleet.json"
)

// FleetTable is what the page /fleet shows at one time. It never changes, so clients may share it.
type FleetTable struct {
	Columns  []string
	Rows     []FleetRow // with a cell for each column
	Summary  string
	Problems []string // what could not be read
	// Outdated is when the oldest of what is shown, but could not be read again, was last read; zero if there is none.
	Outdated time.Time
	Notes    []string
}

// FleetRow is a shard.
type FleetRow struct {
	// State is the state of the shard as in its verdict: ready, drain, maint, down, unknown or none.
	State  string
	Damped bool
	// Outdated reports whether the state is that of an old report. It is then not shown as a good one.
	Outdated bool
	URL      string // of the shard's own page, "" if it is not known
	Cells    []FleetCell
	Details  []string // lines that explain the row
}

// FleetCell is a cell. With a time it shows how long that is ago instead of the text.
type FleetCell struct {
	Text string
	Time time.Time
}

// Fleet provides the tables.
type Fleet interface {
	// Subscribe returns a channel of tables: the present one, and then each that differs, until ctx ends. One that differs
	// only in when the reports were made may come some seconds later. A subscriber that is slow misses some, but never the
	// latest. The first comes when everything has been read once or has failed.
	Subscribe(ctx context.Context) <-chan *FleetTable
	// JSON returns the fleet in the form of "fleet --json", with the present ages. It waits until everything has been read
	// once or has failed, or ctx ends. ok is false if something could not be read; the document, if any, names it. Calls
	// at the same time get the same document.
	JSON(ctx context.Context) (document []byte, ok bool)
}

const (
	// fleetCoalesceTime is the least time between two events of a stream, because each contains the whole table.
	fleetCoalesceTime = time.Second
	// fleetPageTime is how long the page waits for the first table. It is then served without, and filled by its events.
	fleetPageTime = time.Second
	// fleetJSONTime is the same for the JSON, which has no events. It is above the time limit of a request to Consul.
	fleetJSONTime = 15 * time.Second

	// The limits of the replies in flight, which can be large.
	maxFleets      = 64
	maxFleetBodies = 4
)

// fleetPage renders the page /fleet. The table is rendered once for all clients.
type fleetPage struct {
	PageOptions
	fleet   Fleet
	streams *streams
	flights *flights

	mu   sync.Mutex
	last *fleetParts
}

// fleetParts is the page with one table. It is immutable.
type fleetParts struct {
	of    *FleetTable // nil before the first
	at    time.Time
	event []byte
	whole func() []byte // renders the page around the parts, once
}

// render returns the page with a table, nil for none. A rendering that is younger than recent is used again.
func (p *fleetPage) render(t *FleetTable, recent time.Duration) *fleetParts {
	p.mu.Lock()
	defer p.mu.Unlock()
	now := time.Now()
	if p.last != nil && p.last.of == t && t != nil && now.Sub(p.last.at) < recent {
		return p.last
	}
	v := p.view(t, now)
	parts := execute("fleet", v)
	l := &fleetParts{of: t, at: now, event: asEvent("page", parts)}
	l.whole = sync.OnceValue(func() []byte {
		return p.frame(frame{
			Title: v.Title, Icon: v.Icon, Parts: parts, Events: fleetEventsPath,
			Other: &link{"/", "this shard"}, Links: []string{fleetJSONPath},
		})
	})
	p.last = l
	return l
}

// fleetView is the data of the template.
type fleetView struct {
	*FleetTable
	Title, Icon string
	Rows        []fleetRowView
	Outdated    *moment
	Reading     *moment // since when the first table is awaited
}

type fleetRowView struct {
	FleetRow
	Key   string // of the same shard in the next rendering: its name
	Kind  string
	Cells []fleetCellView
}

type fleetCellView struct {
	Text string
	At   *moment
}

// fleetTrouble are the kinds that the tab's icon shows, the worst last. Fleets always have shards that drain or are
// under maintenance, so these are no trouble.
var fleetTrouble = []string{kindNone, kindUnknown, kindDamped, kindDown}

func (p *fleetPage) view(t *FleetTable, now time.Time) fleetView {
	v := fleetView{FleetTable: t, Title: "Fleet", Icon: loadAssets().paths[kindNone+".svg"]}
	if t == nil {
		v.Reading = new(newMoment(now, now))
		return v
	}
	v.Title += ": " + t.Summary
	worst := kindUp
	for _, r := range t.Rows {
		row := fleetRowView{FleetRow: r, Key: r.Cells[0].Text, Kind: kindOf(r.State, r.Damped)}
		if r.Outdated && !slices.Contains(fleetTrouble, row.Kind) {
			row.Kind = kindNone
		}
		for _, c := range r.Cells {
			cell := fleetCellView{Text: c.Text}
			if !c.Time.IsZero() {
				cell.At = new(newMoment(c.Time, now))
			}
			row.Cells = append(row.Cells, cell)
		}
		if slices.Index(fleetTrouble, row.Kind) > slices.Index(fleetTrouble, worst) {
			worst = row.Kind
		}
		v.Rows = append(v.Rows, row)
	}
	if len(t.Problems) > 0 || len(t.Rows) == 0 {
		worst = kindNone
	}
	v.Icon = loadAssets().paths[worst+".svg"]
	if !t.Outdated.IsZero() {
		v.Outdated = new(newMoment(t.Outdated, now))
	}
	return v
}

// within returns the context of a request with a time limit. It ends when the server shuts down, too.
func (p *fleetPage) within(c *gin.Context, limit time.Duration) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithTimeout(c.Request.Context(), limit)
	stop := context.AfterFunc(p.streams.ended, cancel)
	return ctx, func() {
		stop()
		cancel()
	}
}

// show replies with the whole page, with the table if there is one soon.
func (p *fleetPage) show(c *gin.Context) {
	ctx, cancel := p.within(c, fleetPageTime)
	defer cancel()
	var t *FleetTable
	select {
	case t = <-p.fleet.Subscribe(ctx):
	case <-ctx.Done():
	}
	r := p.render(t, maxAge)
	end, ok := p.flights.begin(r, c.Writer)
	if !ok {
		busy(c)
		return
	}
	defer end()
	protect(c)
	send(c.Writer, http.StatusOK, "text/html; charset=utf-8", r.whole())
}

// events replies with a stream of server-sent events: the table whenever it changes.
func (p *fleetPage) events(c *gin.Context) {
	p.streams.serve(c, func(ctx context.Context, s stream) {
		tables := p.fleet.Subscribe(ctx)
		if !s.send(clock()) {
			return
		}
		for {
			t, ok := await(ctx, s, tables, func() bool { return false })
			if !ok || t == nil || !s.send(clock(), p.render(t, math.MaxInt64).event) {
				return
			}
			select {
			case <-time.After(fleetCoalesceTime):
			case <-ctx.Done():
				return
			}
		}
	})
}

// json replies with the fleet for programs. The status code is 503 if something could not be read.
func (p *fleetPage) json(c *gin.Context) {
	ctx, cancel := p.within(c, fleetJSONTime)
	defer cancel()
	document, complete := p.fleet.JSON(ctx)
	if len(document) == 0 {
		c.String(http.StatusServiceUnavailable, "no answer from Consul yet; retry later")
		return
	}
	end, ok := p.flights.begin(&document[0], c.Writer)
	if !ok {
		busy(c)
		return
	}
	defer end()
	code := http.StatusOK
	if !complete {
		code = http.StatusServiceUnavailable
	}
	sendJSON(c.Writer, code, document)
}

// addFleet adds the page /fleet, its event stream, and the JSON.
func (o Options) addFleet(get func(string, gin.HandlerFunc), b *bounds) {
	if o.Fleet == nil {
		return
	}
	p := &fleetPage{PageOptions: o.Page, fleet: o.Fleet, streams: b.streams, flights: b.fleet}
	get(fleetPath, p.show)
	get(fleetEventsPath, p.events)
	get(fleetJSONPath, p.json)
}
