package rest

import (
	"fmt"
	"regexp"
	"strings"
	"testing"
	"time"
	"unicode"

	"golang.org/x/net/html"

	"github.com/signal-sidecar/signal-sidecar/health"
	"github.com/signal-sidecar/signal-sidecar/history"
)

// elements returns the elements of a page, as a browser parses it.
func elements(t *testing.T, page string) []*html.Node {
	t.Helper()
	root, err := html.Parse(strings.NewReader(page))
	if err != nil {
		t.Fatal(err)
	}
	var all []*html.Node
	for node := range root.Descendants() {
		if node.Type == html.ElementNode {
			all = append(all, node)
		}
	}
	return all
}

// wantNothingInline checks that a page has nothing that the Content-Security-Policy forbids, and no element that no
// template has.
func wantNothingInline(t *testing.T, page string) {
	t.Helper()
	for _, e := range elements(t, page) {
		if e.Data == "img" || e.Data == "style" || e.Data == "script" && e.FirstChild != nil {
			t.Errorf("the page has an element %s", e.Data)
		}
		for _, a := range e.Attr {
			if a.Key == "style" || strings.HasPrefix(a.Key, "on") || strings.HasPrefix(a.Val, "javascript:") {
				t.Errorf("an element %s has %s=%q", e.Data, a.Key, a.Val)
			}
		}
	}
}

// TestPageLoadsOnlyItself checks that the page refers only to this server, and has nothing that the
// Content-Security-Policy forbids.
func TestPageLoadsOnlyItself(t *testing.T) {
	r := startServer(t, setup{})
	for _, state := range []string{"none", "up", "drain-grace", "down"} {
		r.node.enter(t, state)
		body := r.ask(t, "GET", "/").body
		wantNothingInline(t, body)
		references := 0
		for _, e := range elements(t, body) {
			for _, a := range e.Attr {
				if a.Key != "href" && a.Key != "src" || a.Val == "" { // "" is the page itself
					continue
				}
				references++
				if !strings.HasPrefix(a.Val, "/") || strings.HasPrefix(a.Val, "//") {
					t.Errorf("%s: the page refers to %q", state, a.Val)
				} else if got := r.ask(t, "GET", a.Val); got.code == 404 {
					t.Errorf("%s: %s answers %d", state, a.Val, got.code)
				}
			}
		}
		if references < 5 {
			t.Errorf("%s: the page has only %d references", state, references)
		}
	}
}

// TestAssets checks that browsers may keep assets. Their names change with their contents.
func TestAssets(t *testing.T) {
	r := startServer(t, setup{})
	all := loadAssets()
	for name, contentType := range map[string]string{
		"page.css": "text/css; charset=utf-8", "page.js": "text/javascript; charset=utf-8", "up.svg": "image/svg+xml",
		"none.svg": "image/svg+xml",
	} {
		got := r.ask(t, "GET", all.paths[name])
		if got.code != 200 || got.header.Get("Content-Type") != contentType || got.body == "" ||
			got.length != int64(len(got.body)) {
			t.Errorf("%s: %d, %v, %d bytes", all.paths[name], got.code, got.header, len(got.body))
		}
		for header, want := range map[string]string{
			"Cache-Control": "public, max-age=31536000, immutable", "X-Content-Type-Options": "nosniff",
			"Referrer-Policy": "no-referrer",
		} {
			if value := got.header.Get(header); value != want {
				t.Errorf("%s: %s: %s", name, header, value)
			}
		}
		if head := r.ask(t, "HEAD", all.paths[name]); head.code != 200 || head.body != "" || head.length != got.length {
			t.Errorf("HEAD %s: %d, %d bytes", name, head.code, head.length)
		}
	}
	for kind := range kindNames {
		if all.paths[kind+".svg"] == "" {
			t.Errorf("the tab has no icon for %s", kind)
		}
	}
	if all.paths["page.html"] != "" {
		t.Error("the template is served")
	}
}

// hostile is a text that must be escaped everywhere on the page.
const hostile = "</section><script>alert(1)</script>\"'><img src=x onerror=alert(1)>\r\n\r\nevent: page\rdata: gone\n\n&lt;"

// TestHostileText checks that text from services, files and headers is escaped on the page and in its events.
func TestHostileText(t *testing.T) {
	id := strings.Repeat("a", 32)
	r := startServer(t, setup{census: true, page: PageOptions{
		Host: hostile, Version: hostile, TraceURL: `https://jaeger/trace/{trace_id}?"><script>alert(1)</script>`,
	}, past: &fixedHistory{changes: []history.Change{{
		At: health.Time(time.Now()), From: hostile, To: hostile, State: "down", Reasons: []health.Code{hostile},
		Incident: hostile, TraceID: id,
	}}}, consul: func() (*Consul, *ConsulReports) {
		return &Consul{Key: hostile, Value: new(hostile), Error: hostile}, &ConsulReports{Key: hostile, Error: hostile}
	}})
	r.node.enter(t, "up")
	bad := health.Answer{Failure: health.Failure(hostile), Detail: hostile}
	everywhere := []health.Observation{
		jicofo(hostile, health.Answer{Code: 503}, bad), jicofo(hostile, bad, bad), jicofo(hostile, answered200, bad),
		{Jicofo: &health.Jicofo{Health: answered200, Stats: answered200, StatsProblem: hostile}},
		prosody(bad), {Census: &health.Census{Answer: bad, Problem: hostile}}, {Census: &health.Census{Answer: answered200,
			Problem: hostile}},
		statusFile(hostile), {StatusFile: &health.StatusFile{Problem: hostile}},
	}
	for i, o := range everywhere {
		r.node.observe(o)
		page := r.ask(t, "GET", "/").body
		wantNothingInline(t, page)
		if !strings.Contains(html.UnescapeString(page), "alert(1)") {
			t.Errorf("%d: what was observed is not shown", i)
		}
		s := r.openStream(t)
		s.next(t) // the clock event
		if e := s.next(t); e.name != "page" || strings.Contains(e.data, "<script") || !strings.Contains(e.data,
			`<section id="changes">`) {
			t.Errorf("%d: the event is %s: %s", i, e.name, e.data)
		}
		s.Close()
	}
}

// TestLongText checks that the page shows the beginning of a service's reply, not 64 KiB of it.
func TestLongText(t *testing.T) {
	r := startServer(t, setup{})
	r.node.enter(t, "up")
	r.node.observe(jicofo(strings.Repeat("é", 32<<10), health.Answer{Code: 500}, answered200),
		statusFile(strings.Repeat("\xff", 4<<10)))
	if body := r.ask(t, "GET", "/").body; len(body) > 20_000 || !strings.Contains(body, strings.Repeat("é", 80)+"…") {
		t.Errorf("the page has %d bytes", len(body))
	}
}

func controls(r rune) bool { return r != '\n' && unicode.In(r, unicode.Cc, unicode.Cf) }

// TestPageHasNoControlCharacters checks that control characters of the services are escaped, on the page and in events.
func TestPageHasNoControlCharacters(t *testing.T) {
	r := startServer(t, setup{})
	const hostile = "a\x1b[2J\u009b31m\x7f\u202e"
	for _, state := range []string{"up", "drain-grace", "down"} {
		r.node.enter(t, state)
		r.node.observe(jicofo(hostile, health.Answer{Failure: health.FailureProtocol, Detail: hostile}, answered200),
			prosody(health.Answer{Failure: health.FailureProtocol, Detail: hostile}),
			statusFile(hostile))
		page := r.ask(t, "GET", "/").body
		if i := strings.IndexFunc(page, controls); i >= 0 {
			t.Errorf("%s: the page has %q", state, page[i:min(i+40, len(page))])
		}
		if !strings.Contains(page, `a\u001b[2J\u009b31m\u007f\u202e`) {
			t.Errorf("%s: the text is not on the page", state)
		}
	}
}

// TestTraceLinks checks that a change links to its trace with TRACE_URL_TEMPLATE, and only names the trace without it.
func TestTraceLinks(t *testing.T) {
	const id = "4bf92f3577b34da6a3ce929d0e0e4736"
	for template, want := range map[string]string{
		"": `<code title="` + id + `">4bf92f35</code>`,
		"http://localhost:16686/trace/{trace_id}": `<a href="http://localhost:16686/trace/` + id +
			`" rel="noreferrer" title="` + id + `">4bf92f35</a>`,
		"https://g/explore?a=%7B%22{trace_id}%22&b={trace_id}": `<a href="https://g/explore?a=%7B%22` + id + `%22&amp;b=` +
			id + `" `,
	} {
		now := health.Time(time.Now())
		changes := []history.Change{{At: now, To: "up ready 100%", State: "ready", TraceID: id}, {At: now,
			To: "down ready 100%", State: "down"}}
		r := startServer(t, setup{page: PageOptions{TraceURL: template}, past: &fixedHistory{changes: changes}})
		body := r.ask(t, "GET", "/").body
		if !strings.Contains(body, want) {
			t.Errorf("%q: the page lacks %s:\n%s", template, want, body)
		}
		if !strings.Contains(body, ">deadline</span>") {
			t.Errorf("%q: a change without a trace is not said to be of a deadline", template)
		}
	}
}

// TestCountdown checks that the deadline and the time on the page are from the same clock, the server's.
func TestCountdown(t *testing.T) {
	r := startServer(t, setup{})
	began := time.Now()
	for _, o := range append(states["up"], states["drain-grace"]...) {
		o.At = began
		r.node.Observe(t.Context(), o)
	}
	body := r.ask(t, "GET", "/").body
	var now, until, since int64
	for pattern, into := range map[string]*int64{`data-now="(\d+)"`: &now, `data-until="(\d+)"`: &until,
		`data-since="(\d+)"`: &since} {
		m := regexp.MustCompile(pattern).FindStringSubmatch(body)
		if m == nil {
			t.Fatalf("the page lacks %s:\n%s", pattern, body)
		}
		_, _ = fmt.Sscan(m[1], into)
	}
	if d := until - began.Add(120*time.Second).UnixMilli(); d < -5 || d > 5 {
		t.Errorf("the deadline is told %d ms off", d)
	}
	if d := since - began.UnixMilli(); d < -5 || d > 5 {
		t.Errorf("the reason's beginning is told %d ms off", d)
	}
	if now < began.UnixMilli() || now > time.Now().UnixMilli() {
		t.Errorf("the page was made at %d, between %d and now", now, began.UnixMilli())
	}
}

// TestRenderedOnce checks that a snapshot is rendered once for all pages and streams.
func TestRenderedOnce(t *testing.T) {
	n := newNode(false)
	p := &page{source: n, history: history.New()}
	n.enter(t, "up")
	first := p.render(0)
	if p.render(0) != first || p.render(coalesceTime) != first {
		t.Error("the same snapshot was rendered again")
	}
	n.enter(t, "drain")
	if p.render(time.Hour) != first {
		t.Error("a rendering that is young enough for a stream was made anew")
	}
	second := p.render(0)
	if second == first || second.of != n.Current() || !strings.Contains(string(second.parts), "Draining") {
		t.Error("a new snapshot was not rendered for a page")
	}
}

// TestPageIsMeasuredByRoute checks that all requests below /assets/ count as one route.
func TestPageIsMeasuredByRoute(t *testing.T) {
	r := startServer(t, setup{})
	r.ask(t, "GET", "/")
	r.ask(t, "GET", loadAssets().paths["page.css"])
	r.ask(t, "GET", "/assets/one")
	r.ask(t, "GET", "/assets/two")
	s := r.openStream(t)
	s.next(t)
	s.Close()
	r.awaitStreams(t, 0)
	got := map[string]uint64{}
	for _, m := range r.scrape(t)["http_server_request_duration_seconds"].GetMetric() {
		l := labels(m)
		got[l["http_route"]+" "+l["http_response_status_code"]] = m.GetHistogram().GetSampleCount()
	}
	delete(got, "/metrics 200")
	if want := "map[/ 200:1 /assets/:name 200:1 /assets/:name 404:2]"; fmt.Sprint(got) != want {
		t.Errorf("measured are %v, want %s", got, want)
	}
}
