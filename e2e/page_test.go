package e2e

import (
	"flag"
	"fmt"
	"net"
	"os"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/signal-sidecar/signal-sidecar/testbed"
)

var update = flag.Bool("update", false, "take the screenshots in docs/ anew")

// TestPageIsLive checks an open page while jicofo fails: it shows drain, counts down, shows down at the deadline, and
// later up again.
func TestPageIsLive(t *testing.T) {
	d := startDemo(t, vars{"DRAIN_GRACE_INTERVAL": "8", "HEALTH_DAMPENING_INTERVAL": "4",
		"TRACE_URL_TEMPLATE": "http://localhost:16686/trace/{trace_id}"})
	b := openBrowser(t)
	b.goTo(t, d.origin+"/")
	b.awaitText(t, "h1", "Up")
	b.awaitText(t, "#live", "live")
	if title := evaluate[string](t, b, "document.title"); !strings.HasPrefix(title, "Up · ") {
		t.Errorf("the title is %q", title)
	}
	evaluate[int](t, b, "window.notReloaded = 1")

	d.command(t, "/jicofo", "code 503")
	b.awaitText(t, "h1", "Draining")
	if agent := b.text(t, ".agent code"); agent != "up drain 0%" {
		t.Errorf("the agent line is %q", agent)
	}
	if reason := b.text(t, ".reasons"); !strings.Contains(reason, "jicofo answered 503") ||
		!strings.Contains(reason, "jicofo_overloaded") {
		t.Errorf("the reason is %q", reason)
	}
	if next := b.text(t, ".next"); !strings.HasPrefix(next, "Down in") {
		t.Errorf("what comes next is %q", next)
	}
	deadline := time.UnixMilli(evaluate[int64](t, b, `Number(document.querySelector("[data-until]").dataset.until)`))
	b.wantCountdown(t)
	b.awaitText(t, "h1", "Down")
	if early := time.Until(deadline); early > 0 {
		t.Errorf("the page turned to down %s before its deadline", early)
	}
	if changed := d.changedTo(t, "down ready 100%"); changed.Sub(deadline).Abs() > 10*time.Millisecond {
		t.Errorf("the deadline on the page was %s, the verdict changed at %s", deadline, changed)
	}
	if class := evaluate[string](t, b, `document.getElementById("verdict").className`); class != "down" {
		t.Errorf("the verdict looks like %q", class)
	}
	testbed.Eventually(t, "the icon of a node that is down", bound, func() bool {
		return strings.HasPrefix(b.icon(t), "/assets/down-")
	})

	d.command(t, "/jicofo", "recover")
	testbed.Eventually(t, "the page to show the dampening", bound, func() bool {
		return evaluate[string](t, b, `document.getElementById("verdict").className`) == "damped"
	})
	b.awaitText(t, "h1", "Up")
	if evaluate[int](t, b, "window.notReloaded ?? 0") != 1 {
		t.Error("the page was loaded anew")
	}
	if n := evaluate[int](t, b, `document.querySelectorAll("#changes tbody tr").length`); n != 5 {
		t.Errorf("%d changes are listed, want 5", n)
	}
	if links := evaluate[[]string](t, b,
		`[...document.querySelectorAll("#changes a")].map((a) => a.href)`); len(links) < 3 ||
		!strings.HasPrefix(links[0], "http://localhost:16686/trace/") {
		t.Errorf("the traces are at %q", links)
	}
	for _, kind := range []string{"up", "drain", "down", "damped"} {
		if evaluate[int](t, b,
			fmt.Sprintf(`document.querySelectorAll("#charts .row:first-child .band.%s").length`, kind)) == 0 {
			t.Errorf("the timeline shows no %s", kind)
		}
	}
	b.wantQuiet(t, d.origin)
}

// wantCountdown reads the countdown until it has shown three values, each below the one before.
func (b *tab) wantCountdown(t *testing.T) {
	t.Helper()
	var seen []string
	testbed.Eventually(t, "the countdown to count", bound, func() bool {
		now := b.text(t, ".count")
		if now != "" && (len(seen) == 0 || seen[len(seen)-1] != now) {
			seen = append(seen, now)
		}
		return len(seen) == 3
	})
	if !(seen[0] > seen[1] && seen[1] > seen[2]) || seen[0] > "0:08" {
		t.Errorf("the countdown shows %q", seen)
	}
}

// changedTo returns the time of the verdict's last change to the line.
func (d *demo) changedTo(t *testing.T, line string) time.Time {
	t.Helper()
	var history struct {
		Changes []struct {
			At time.Time
			To string
		}
	}
	getJSON(t, d.origin+"/signal/history", nil, &history)
	for _, c := range history.Changes {
		if c.To == line {
			return c.At
		}
	}
	t.Fatalf("the verdict never was %q", line)
	return time.Time{}
}

// TestPageWithoutScript checks that without JavaScript the page shows everything as it was when the page was rendered.
func TestPageWithoutScript(t *testing.T) {
	d := startDemo(t, vars{"DRAIN_GRACE_INTERVAL": "110"})
	d.command(t, "/jicofo", "code 503")
	testbed.Eventually(t, "the node to drain", bound, func() bool {
		_, body := testbed.Get(d.origin + "/signal/report")
		return strings.Contains(body, `"up drain 0%"`)
	})
	b := openBrowser(t)
	b.withoutScript(t)
	b.goTo(t, d.origin+"/")
	for selector, want := range map[string]string{
		"h1": "Draining", ".agent code": "up drain 0%", ".reasons": "jicofo answered 503", ".count": "1:", "#live": "Reload",
		"#changes": "drain", "#charts": "503 in",
	} {
		if got := b.text(t, selector); !strings.Contains(got, want) {
			t.Errorf("%s says %q, want %q", selector, got, want)
		}
	}
	if n := evaluate[int](t, b, `document.querySelectorAll("#charts svg .line, #charts svg .band").length`); n < 7 {
		t.Errorf("the charts have %d lines and bands", n)
	}
	b.wantQuiet(t, d.origin)
}

// icon returns the path of the tab's icon.
func (b *tab) icon(t *testing.T) string {
	t.Helper()
	return evaluate[string](t, b, `document.getElementById("icon").getAttribute("href")`)
}

// TestPageKeepsSelection checks that a reason stays selected while the page is updated, so that it can be copied.
func TestPageKeepsSelection(t *testing.T) {
	d := startDemo(t, vars{"DRAIN_GRACE_INTERVAL": "100"})
	b := openBrowser(t)
	b.goTo(t, d.origin+"/")
	d.command(t, "/jicofo", "code 503")
	b.awaitText(t, "h1", "Draining")
	const selected = "getSelection().toString()"
	evaluate[int](t, b, `(() => { getSelection().selectAllChildren(document.querySelector(".reasons")); return 1; })()`)
	before, count := evaluate[string](t, b, selected), b.text(t, ".count")
	rows := evaluate[int](t, b, `document.querySelectorAll("#changes tbody tr").length`)
	testbed.Must(t, os.WriteFile(d.statusPath, []byte("maint"), 0o600))
	b.awaitText(t, "h1", "Maintenance")
	testbed.Must(t, os.WriteFile(d.statusPath, []byte("ready"), 0o600))
	b.awaitText(t, "h1", "Draining")
	testbed.Eventually(t, "the countdown to go on", bound, func() bool { return b.text(t, ".count") != count })
	if now := evaluate[string](t, b, selected); !strings.Contains(before, "jicofo answered 503") ||
		!strings.Contains(now, "jicofo answered 503") {
		t.Errorf("selected was %q, is %q", before, now)
	}
	if n := evaluate[int](t, b, `document.querySelectorAll("#changes tbody tr").length`); n != rows+2 {
		t.Errorf("%d changes are listed, want %d", n, rows+2)
	}
	times := evaluate[[]string](t, b, `[...document.querySelectorAll("#changes tbody time")].map((t) => t.dateTime)`)
	if !slices.IsSortedFunc(times, func(a, b string) int { return strings.Compare(b, a) }) {
		t.Errorf("the changes are at %q", times)
	}
	b.wantQuiet(t, d.origin)
}

// overprinted returns pairs of texts that are printed over each other, and links that are smaller than 24 by 24 pixels.
const overprinted = `(() => {
	const found = [], texts = [], walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
	while (walker.nextNode()) {
		const node = walker.currentNode, parent = node.parentElement;
		if (!node.data.trim() || parent.closest("svg, .unseen") || getComputedStyle(parent).visibility === "hidden") continue;
		const range = document.createRange();
		range.selectNodeContents(node);
		for (const box of range.getClientRects()) texts.push([node.data.trim(), box]);
	}
	for (let i = 0; i < texts.length; i++) for (let j = 0; j < i; j++) {
		const [a, x] = texts[i], [b, y] = texts[j];
		const width = Math.min(x.right, y.right) - Math.max(x.left, y.left);
		if (width > 1 && Math.min(x.bottom, y.bottom) - Math.max(x.top, y.top) > 4)
			found.push(a + " over " + b);
	}
	for (const a of document.querySelectorAll("a")) {
		const box = a.getBoundingClientRect();
		if (box.width < 24 || box.height < 24) found.push("link " + a.textContent + " is " + box.width + " by " + box.height);
	}
	return found;
})()`

// contrasts returns the contrast ratios (WCAG 2) of the page's texts, and of the verdict's text in each of its colours.
const contrasts = `(() => {
	const channels = (color) => color.match(/[\d.]+/g).slice(0, 3).map(Number);
	const luminance = (color) => channels(color).map((c) => (c /= 255) <= 0.03928 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4)
		.reduce((sum, c, i) => sum + c * [0.2126, 0.7152, 0.0722][i], 0);
	const ratio = (a, b) => { const [x, y] = [luminance(a), luminance(b)].sort(); return (Math.max(x, y) + 0.05) / (Math.min(x, y) + 0.05); };
	const style = (selector) => getComputedStyle(document.querySelector(selector));
	const all = {};
	const verdict = document.getElementById("verdict");
	for (const kind of ["up", "drain", "maint", "down", "damped", "unknown", "none"]) {
		verdict.className = kind;
		all["verdict " + kind] = ratio(style("h1").color, getComputedStyle(verdict).backgroundColor);
	}
	const card = style("#charts").backgroundColor;
	for (const text of [".name", ".name small", ".now", "h2", "#changes a", ".legend", ".axis"]) all[text] = ratio(style(text).color, card);
	all[".node"] = ratio(style(".node").color, style("body").backgroundColor);
	return all;
})()`

// TestPageEverywhere checks that the page fits and is readable on small and large screens, with light and dark colours.
func TestPageEverywhere(t *testing.T) {
	d := startDemo(t, vars{"TRACE_URL_TEMPLATE": "http://localhost:16686/trace/{trace_id}"})
	d.command(t, "/jicofo", "code 503")
	b := openBrowser(t)
	grounds := map[string]string{}
	for _, scheme := range []string{"light", "dark"} {
		for _, width := range []int64{320, 390, 768, 1280} {
			b.look(t, width, 800, scheme)
			b.goTo(t, d.origin+"/")
			b.awaitText(t, "h1", "Draining")
			for _, problem := range evaluate[[]string](t, b, overprinted) {
				t.Errorf("%s, %d wide: %s", scheme, width, problem)
			}
			if got := evaluate[int64](t, b, "document.documentElement.scrollWidth"); got > width {
				t.Errorf("%s: the page is %d wide on a screen of %d", scheme, got, width)
			}
		}
		grounds[scheme] = evaluate[string](t, b, "getComputedStyle(document.body).backgroundColor")
		for text, ratio := range evaluate[map[string]float64](t, b, contrasts) {
			if ratio < 4.5 {
				t.Errorf("%s: %s has a contrast of %.2f, want 4.5", scheme, text, ratio)
			}
		}
	}
	if grounds["light"] == grounds["dark"] {
		t.Errorf("light and dark have the same ground, %s", grounds["light"])
	}
	b.wantQuiet(t, d.origin)
}

// TestPageTellsThatItIsStale checks that the page shows when its server is gone, and is live again when the server is
// back.
func TestPageTellsThatItIsStale(t *testing.T) {
	address := testbed.LastingAddress(t)
	_, port, _ := net.SplitHostPort(address)
	d := startDemo(t, vars{"PAGE_PORT": port})
	b := openBrowser(t)
	b.goTo(t, d.origin+"/")
	b.awaitText(t, "#live", "live")
	if icon := b.icon(t); !strings.HasPrefix(icon, "/assets/up-") {
		t.Errorf("live, the icon is %q", icon)
	}
	d.Stop(t, syscall.SIGTERM)
	b.awaitText(t, "#live", "Not live")
	title, icon := evaluate[string](t, b, "document.title"), b.icon(t)
	if !strings.HasPrefix(title, "Unknown, was: Up") || !strings.HasPrefix(icon, "/assets/none-") {
		t.Errorf("not live, the title is %q and the icon %q", title, icon)
	}
	if state := evaluate[string](t, b, "document.body.dataset.live"); state != "stale" {
		t.Errorf("the page is %q", state)
	}
	if h := b.text(t, "h1"); h != "Up" {
		t.Errorf("what was known last is gone: %q", h)
	}
	again := startDemo(t, vars{"PAGE_PORT": port})
	if again.origin != d.origin {
		t.Fatalf("the second demo is at %s", again.origin)
	}
	testbed.Eventually(t, "the page to be live again", bound, func() bool {
		return evaluate[string](t, b, "document.body.dataset.live") == "live"
	})
	testbed.Eventually(t, "the tab to show the state again", bound, func() bool {
		return strings.HasPrefix(evaluate[string](t, b, "document.title"), "Up · ") &&
			strings.HasPrefix(b.icon(t), "/assets/up-")
	})
	again.command(t, "/prosody", "code 500")
	b.awaitText(t, "h1", "Down")
}

// TestPageWithHostileText checks that text from outside is shown as text.
func TestPageWithHostileText(t *testing.T) {
	d := startDemo(t, nil)
	b := openBrowser(t)
	b.goTo(t, d.origin+"/")
	b.awaitText(t, "#live", "live")
	const hostile = `<img src=x onerror="hacked=1"><script>hacked=1</script>`
	testbed.Must(t, os.WriteFile(d.statusPath, []byte(hostile), 0o600))
	b.awaitText(t, "#charts", `"<img src=x onerror=\"hacked=1\"><script>`)
	b.awaitText(t, ".reasons", "<img src=x")
	if evaluate[bool](t, b, "'hacked' in window") {
		t.Error("a text of jicofo's was run")
	}
	b.wantQuiet(t, d.origin)
}

// TestPageScreenshots makes the pictures in docs/, with -update.
func TestPageScreenshots(t *testing.T) {
	if !*update {
		t.Skip("only with -update")
	}
	d := startDemo(t, vars{"POLLING_INTERVAL": "2", "DRAIN_GRACE_INTERVAL": "45", "HEALTH_DAMPENING_INTERVAL": "30",
		"TRACE_URL_TEMPLATE": "http://localhost:16686/trace/{trace_id}"},
		"unshare", "--uts", "sh", "-c", `hostname shard1.meet.example.com && exec "$0" "$@"`)
	b := openBrowser(t)
	began := time.Now()
	at := func(seconds int) { <-time.After(time.Until(began.Add(time.Duration(seconds) * time.Second))) }
	for i := range 40 {
		at(4 * i)
		d.command(t, "/load", fmt.Sprintf("%d %d", 900+25*i+40*(i%3), 80+2*i))
		switch i {
		case 8, 30:
			d.command(t, "/jicofo", "code 503")
		case 10:
			d.command(t, "/jicofo", "recover")
		case 14:
			d.command(t, "/prosody", "slow 60ms")
		case 17:
			d.command(t, "/prosody", "recover")
		case 28:
			b.look(t, 1100, 700, "light")
			b.goTo(t, d.origin+"/")
			b.awaitText(t, "#live", "live")
			b.photograph(t, "../docs/page-light.png")
		}
	}
	b.look(t, 1100, 700, "dark")
	b.goTo(t, d.origin+"/")
	b.awaitText(t, "h1", "Draining")
	b.awaitText(t, "#live", "live")
	b.photograph(t, "../docs/page-dark.png")
}
