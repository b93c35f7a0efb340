package rest

import (
	"bytes"
	"net/http"
	"sync"
	"time"

	"github.com/gin-gonic/gin"

	"github.com/signal-sidecar/signal-sidecar/health"
)

// PageOptions is what the status page shows beside the snapshots and the history.
type PageOptions struct {
	// Host names the node in the heading.
	Host string
	// Version is that of the sidecar.
	Version string
	// TraceURL is where a trace can be seen, with {trace_id} in it; "" shows no links.
	TraceURL string
}

// page renders the status page. What can change of it, its parts, is rendered once for all who look at it.
type page struct {
	PageOptions
	source  Source
	history History
	census  bool
	links   []string // paths of this server that the page leads to

	listeners *listeners

	mu   sync.Mutex
	last *pageParts
}

// pageParts is the parts of the page as they were at one moment. It never changes.
type pageParts struct {
	of    *health.Snapshot
	at    time.Time
	title string
	icon  string
	parts []byte // HTML
	event []byte // the same as a server-sent event
}

// maxAge is how old a rendering may be while nothing new was observed: the charts move on by themselves.
const maxAge = time.Second

// render returns the parts of the page. A rendering of a snapshot that has been superseded since is good enough until it
// is older than late: so the number of renderings is bounded, whatever the number of listeners and the polling interval.
func (p *page) render(late time.Duration) *pageParts {
	p.mu.Lock()
	defer p.mu.Unlock()
	now, s := time.Now(), p.source.Current()
	if l := p.last; l != nil {
		if age := now.Sub(l.at); age < late || age < maxAge && l.of == s {
			return l
		}
	}
	v := p.view(s, now)
	var parts bytes.Buffer
	execute(&parts, "parts", v)
	p.last = &pageParts{of: s, at: now, title: v.Title, icon: v.Icon, parts: parts.Bytes(), event: asEvent("page", parts.Bytes())}
	return p.last
}

// frame is the page around its parts.
type frame struct {
	*pageParts
	Now    int64 // of the server, in milliseconds since the epoch
	Assets map[string]string
	Build  string
	page   *page
}

func (f frame) Parts() []byte   { return f.parts }
func (f frame) Events() string  { return eventsPath }
func (f frame) Title() string   { return f.title }
func (f frame) Icon() string    { return f.icon }
func (f frame) Host() string    { return f.page.Host }
func (f frame) Version() string { return f.page.Version }
func (f frame) Links() []string { return f.page.links }

// show answers the whole page. Its code is 200 whatever the verdict, also before there is one: it is for people.
func (p *page) show(c *gin.Context) {
	a := loadAssets()
	var body bytes.Buffer
	execute(&body, "page", frame{p.render(0), time.Now().UnixMilli(), a.paths, a.build, p})
	protect(c)
	send(c.Writer, http.StatusOK, "text/html; charset=utf-8", body.Bytes())
}

// protect lets the page load nothing but its own script, style and images, and be shown in no frame.
func protect(c *gin.Context) {
	c.Header("Content-Security-Policy", "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "+
		"base-uri 'none'; form-action 'none'; frame-ancestors 'none'")
	c.Header("Referrer-Policy", "no-referrer")
	c.Header("X-Content-Type-Options", "nosniff")
}
