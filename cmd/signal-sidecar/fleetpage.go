package main

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/signal-sidecar/signal-sidecar/config"
	"github.com/signal-sidecar/signal-sidecar/consul"
	"github.com/signal-sidecar/signal-sidecar/fleet"
	"github.com/signal-sidecar/signal-sidecar/guard"
	"github.com/signal-sidecar/signal-sidecar/rest"
)

const (
	// maxPageAnswer limits an answer of Consul in bytes: a list of all reports. It takes some four times that in memory.
	maxPageAnswer = 32 << 20
	// pageLinger is how long Consul is queried after the last client has gone, so that a reload finds a table.
	pageLinger = 10 * time.Second
	// agesEvery is the least time between tables that differ only in when the reports were made. In a large fleet there is
	// a new report all the time.
	agesEvery = 2 * time.Second
)

// fleetPages provides the page /fleet with tables. There is one set of queries, whatever the number of clients.
type fleetPages struct {
	watcher *fleet.Watcher
	guard   *guard.Guard

	mu       sync.Mutex
	view     *fleet.View // the one that table is of
	content  string      // of table, without the times of its reports
	times    string      // of its reports
	made     time.Time   // when table was made
	table    *rest.FleetTable
	written  *fleet.View // the one that document is of
	document []byte
}

func newFleetPages(c config.Consul, g *guard.Guard) (*fleetPages, error) {
	o := consulClientOptions(c.Client)
	o.MaxAnswer = maxPageAnswer
	client, err := consul.NewClient(o)
	if err != nil {
		return nil, err
	}
	return &fleetPages{guard: g, watcher: fleet.NewWatcher(fleet.Options{
		Client: client, Address: fleet.ShownAddress(c.Client.URL),
		StaleAfter: staleAfter * c.Interval, Linger: pageLinger, Guard: g,
	})}, nil
}

// Subscribe implements rest.Fleet.
func (f *fleetPages) Subscribe(ctx context.Context) <-chan *rest.FleetTable {
	views, tables := f.watcher.Subscribe(ctx), make(chan *rest.FleetTable)
	go func() {
		defer close(tables)
		defer f.guard.Catch(ctx, guard.Handler, "fleet table")
		var last *rest.FleetTable
		for v := range views {
			t := f.tableOf(v)
			if t == last {
				continue
			}
			select {
			case tables <- t:
				last = t
			case <-ctx.Done():
			}
		}
	}()
	return tables
}

// JSON implements rest.Fleet.
func (f *fleetPages) JSON(ctx context.Context) (document []byte, ok bool) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	v := <-f.watcher.Subscribe(ctx)
	if v == nil {
		return nil, false
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if v != f.written {
		f.written, f.document = v, documentOf(v, false)
	}
	return f.document, len(v.Problems) == 0
}

// tableOf returns the table of a view. It is that of an earlier view if nothing has changed since, or only the times of
// reports within agesEvery.
func (f *fleetPages) tableOf(v *fleet.View) *rest.FleetTable {
	f.mu.Lock()
	defer f.mu.Unlock()
	if v == f.view {
		return f.table
	}
	content, times := lasting(v)+v.Outdated.String(), reportTimes(v)
	if f.table == nil || content != f.content || times != f.times && v.At.Sub(f.made) >= agesEvery {
		f.table, f.content, f.times, f.made = newPageTable(v), content, times, v.At
	}
	f.view = v
	return f.table
}

// reportTimes returns when the reports of a view were made, as one text.
func reportTimes(v *fleet.View) string {
	var b strings.Builder
	for _, r := range v.Rows {
		if r.ReportTime != nil {
			b.WriteString(time.Time(*r.ReportTime).String())
		}
	}
	return b.String()
}

// newPageTable returns the table of a view: the columns of the command fleet, with ages that count.
func newPageTable(v *fleet.View) *rest.FleetTable {
	t := &rest.FleetTable{Summary: summaryOf(v), Problems: v.Problems, Outdated: v.Outdated}
	columns := columnsOf(v)
	columns.whole = true
	age := -1
	for i, title := range columns.header() {
		t.Columns = append(t.Columns, strings.ToLower(title))
		if title == ageTitle {
			age = i
		}
	}
	refused := false
	for i := range v.Rows {
		r := &v.Rows[i]
		row := rest.FleetRow{State: r.State, Damped: r.Damped, Outdated: r.Marked(fleet.MarkStale), Details: explanationOf(r)}
		for _, text := range columns.cells(r) {
			row.Cells = append(row.Cells, rest.FleetCell{Text: text})
		}
		if r.ReportTime != nil {
			row.Cells[age].Time = time.Time(*r.ReportTime)
		}
		var port int
		row.URL, port = pageURL(r.Address)
		refused = refused || config.BlockedInBrowsers(port)
		t.Rows = append(t.Rows, row)
	}
	if refused {
		t.Notes = append(t.Notes, "Browsers refuse some of these shards' ports, such as 6000. "+
			"Set PAGE_PORT on the shards, and register it as signal_sidecar_http_port of the service signal.")
	}
	return t
}

// hostName matches the names of hosts.
var hostName = regexp.MustCompile(`^[A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?$`)

// pageURL returns the URL of a shard's page, and its port. The address comes from Consul: the URL is "" if it is no
// host and port.
func pageURL(address string) (url string, port int) {
	host, number, err := net.SplitHostPort(address)
	if err != nil {
		return "", 0
	}
	port, err = strconv.Atoi(number)
	if err != nil || port < 1 || port > 65535 {
		return "", 0
	}
	if _, err := netip.ParseAddr(host); err != nil && !hostName.MatchString(host) {
		return "", 0
	}
	return fmt.Sprintf("http://%s/", net.JoinHostPort(host, strconv.Itoa(port))), port
}
