package rest

import (
	"net/http"
	"sync"
	"time"

	"github.com/gin-gonic/gin"

	"github.com/signal-sidecar/signal-sidecar/health"
)

// PageOptions is what the status page shows beside the snapshots and the history.
type PageOptions struct {
	// Host is the name of the node in the heading.
	Host string
	// Version is the version of the sidecar.
	Version string
	// ParticipantMax is the number of participants above which the node drains. Their chart ends there; with 0 it ends at
	// the peak.
	ParticipantMax float64
	// TraceURL is the URL of a trace, with {trace_id} in place of its id; "" shows no links.
	TraceURL string
}

// page renders the status page. Its parts, which change, are rendered once for all clients: rendering takes some 2 ms.
type page struct {
	PageOptions
	source  Source
	history History
	watch   SelfWatch // nil if the sidecar always makes progress
	census  bool
	consul  ConsulSource
	links   []string // paths of this server that the page links to
	other   *link    // to the page of the fleet, nil without it

	streams *streams

	mu   sync.Mutex
	last *pageParts
}

// pageParts holds the parts of the page as they were at one moment. It is immutable.
type pageParts struct {
	of    *health.Snapshot
	stale bool // whether the verdict of the snapshot was out of date
	at    time.Time
	title string
	icon  string
	parts []byte // HTML
	event []byte // the same as a server-sent event

	whole func() []byte // renders the page around the parts, once
}

// maxAge is the age up to which a rendering is used while nothing new is observed. Older charts would lag behind the
// clock.
const maxAge = time.Second

// render returns the parts of the page. A rendering that is younger than recent is used even if its snapshot has been
// superseded. This bounds the number of renderings, whatever the number of streams and the polling interval.
func (p *page) render(recent time.Duration) *pageParts {
	p.mu.Lock()
	defer p.mu.Unlock()
	now, s := time.Now(), p.source.Current()
	stale := p.stale(now)
	if l := p.last; l != nil {
		if age := now.Sub(l.at); age < recent || age < maxAge && l.of == s && l.stale == stale {
			return l
		}
	}
	v := p.view(s, now)
	if stale {
		v = p.staleView(s.WithoutVerdict(), now)
	}
	parts := execute("parts", v)
	l := &pageParts{
		of: s, stale: stale, at: now, title: v.Title, icon: v.Icon, parts: parts, event: asEvent("page", parts),
	}
	l.whole = sync.OnceValue(func() []byte {
		return p.frame(frame{
			Title: l.title, Icon: l.icon, Parts: l.parts, Events: eventsPath, Other: p.other, Links: p.links,
		})
	})
	p.last = l
	return l
}

// stale reports whether the verdict is out of date. No endpoint serves it then.
func (p *page) stale(now time.Time) bool { return p.watch != nil && p.watch.Stale(now) }

// frame is the data of the template around the parts.
type frame struct {
	PageOptions
	Title, Icon string
	Parts       []byte   // HTML
	Events      string   // path of the event stream
	Other       *link    // to the other page, nil for none
	Links       []string // paths for programs

	Now    int64 // of the server, in milliseconds since the epoch; the first event of the stream corrects it
	Assets map[string]string
	NoIcon string // the tab's icon while the page is not live
	Build  string
}

type link struct{ Path, Text string }

// frame renders a whole page. It sets what all pages have.
func (o PageOptions) frame(f frame) []byte {
	a := loadAssets()
	f.PageOptions, f.Now, f.Assets, f.Build = o, time.Now().UnixMilli(), a.paths, a.build
	f.NoIcon = a.paths[kindNone+".svg"]
	return execute("page", f)
}

// show replies with the whole page. The status code is 200 for every verdict, and before the first one: the page is for
// people.
func (p *page) show(c *gin.Context) {
	body := p.render(0).whole()
	protect(c)
	send(c.Writer, http.StatusOK, "text/html; charset=utf-8", body)
}

// protect sets headers by which browsers load only this server's script, style and images, and show the page in no
// frame.
func protect(c *gin.Context) {
	c.Header("Content-Security-Policy", "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; "+
		"connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'")
	c.Header("Referrer-Policy", "no-referrer")
	c.Header("X-Content-Type-Options", "nosniff")
}
