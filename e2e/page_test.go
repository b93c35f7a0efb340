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

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"

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
	const reason = "jicofo answered 503: Health check timed out, overloaded"
	before, count := b.choose(t, `document.querySelector(".reasons strong")`), b.text(t, ".count")
	rows := evaluate[int](t, b, `document.querySelectorAll("#changes tbody tr").length`)
	testbed.Must(t, os.WriteFile(d.statusPath, []byte("maint"), 0o600))
	b.awaitText(t, "h1", "Maintenance")
	testbed.Must(t, os.WriteFile(d.statusPath, []byte("ready"), 0o600))
	b.awaitText(t, "h1", "Draining")
	testbed.Eventually(t, "the countdown to go on", bound, func() bool { return b.text(t, ".count") != count })
	if now := b.selected(t); before != reason || now != reason {
		t.Errorf("selected was %q, is %q", before, now)
	}
	if n := evaluate[int](t, b, `document.querySelectorAll("#changes tbody tr").length`); n != rows+2 {
		t.Errorf("%d changes are listed, want %d", n, rows+2)
	}
	times := evaluate[[]string](t, b, `[...document.querySelectorAll("#changes tbody time")].map((t) => t.dateTime)`)
	if !slices.IsSortedFunc(times, func(a, b string) int { return strings.Compare(b, a) }) {
		t.Errorf("the changes are at %q", times)
	}
	d.wantChangeToStaySelected(t, b)
	b.choose(t, `document.querySelector(".reasons strong")`)
	testbed.Must(t, os.WriteFile(d.statusPath, []byte("unhealthy"), 0o600))
	b.awaitText(t, ".reasons li:first-child", "status_unhealthy")
	testbed.Must(t, os.WriteFile(d.statusPath, []byte("ready"), 0o600))
	b.awaitText(t, ".reasons li:first-child", "jicofo_overloaded")
	if now := b.selected(t); now != reason {
		t.Errorf("with another reason above, selected is %q", now)
	}
	evaluate[any](t, b, `document.querySelector("footer a").focus() ?? null`)
	time := `document.querySelector(".reasons time")`
	b.choose(t, time)
	was := b.text(t, ".reasons time")
	testbed.Eventually(t, "the selected time to go on", bound, func() bool { return b.text(t, ".reasons time") != was })
	if !evaluate[bool](t, b, "getSelection().toString() === "+time+".textContent") {
		t.Errorf("selected is %q", b.selected(t))
	}
	if focus := evaluate[string](t, b, "document.activeElement.pathname"); focus != "/signal/report" {
		t.Errorf("the focus is at %q", focus)
	}
	b.wantQuiet(t, d.origin)
}

// wantChangeToStaySelected selects a change, and checks that it stays so until the oldest changes are no longer listed.
func (d *demo) wantChangeToStaySelected(t *testing.T, b *tab) {
	t.Helper()
	const key = `getSelection().anchorNode.parentElement.closest("tr")?.dataset.key ?? ""`
	b.choose(t, `document.querySelector("#changes tbody tr td:nth-child(3)")`)
	chosen := evaluate[string](t, b, key)
	for i := range 16 {
		testbed.Must(t, os.WriteFile(d.statusPath, []byte([]string{"maint", "ready"}[i%2]), 0o600))
		b.awaitText(t, "h1", []string{"Maintenance", "Draining"}[i%2])
	}
	if now := evaluate[string](t, b, key); chosen == "" || now != chosen {
		t.Errorf("the selected change was %q, is %q", chosen, now)
	}
	keys := evaluate[[]string](t, b, `[...document.querySelectorAll("#changes tbody tr")].map((row) => row.dataset.key)`)
	if len(keys) != 20 || !slices.IsSortedFunc(keys, func(a, b string) int { return strings.Compare(b, a) }) {
		t.Errorf("the changes are %q", keys)
	}
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
			b.wantFit(t, width)
		}
		grounds[scheme] = evaluate[string](t, b, "getComputedStyle(document.body).backgroundColor")
		for text, ratio := range evaluate[map[string]float64](t, b, contrasts) {
			if ratio < 4.5 {
				t.Errorf("%s: %s has a contrast of %.2f, want 4.5", scheme, text, ratio)
			}
		}
	}
	b.wantBandsInForcedColors(t)
	if grounds["light"] == grounds["dark"] {
		t.Errorf("light and dark have the same ground, %s", grounds["light"])
	}
	b.wantQuiet(t, d.origin)
}

// wantBandsInForcedColors checks that the bands keep their colours when the user forces those of texts.
func (b *tab) wantBandsInForcedColors(t *testing.T) {
	t.Helper()
	const fills = `[...document.querySelectorAll(".legend .band")].map((band) => getComputedStyle(band).fill)`
	before := evaluate[[]string](t, b, fills)
	_, err := chromedp.Call(b.ctx, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{
		Features: []*emulation.MediaFeature{
			{Name: "forced-colors", Value: "active"}, {Name: "prefers-color-scheme", Value: "dark"},
		},
	})
	testbed.Must(t, err)
	if !evaluate[bool](t, b, `matchMedia("(forced-colors: active)").matches`) {
		t.Fatal("the browser does not force colours")
	}
	if after := evaluate[[]string](t, b, fills); len(after) != 6 || !slices.Equal(before, after) {
		t.Errorf("the bands were %q, are %q", before, after)
	}
}

// TestPageWithLargeText checks that the page fits a small screen when the user has doubled the size of texts.
func TestPageWithLargeText(t *testing.T) {
	d := startDemo(t, nil)
	testbed.Must(t, os.WriteFile(d.statusPath, []byte(strings.Repeat("x", 500)), 0o600))
	d.command(t, "/jicofo", "code 503")
	b := openBrowser(t, chromedp.Flag("blink-settings", "defaultFontSize=32"))
	for _, width := range []int64{320, 640, 1280} {
		b.look(t, width, 800, "light")
		b.goTo(t, d.origin+"/")
		b.awaitText(t, "h1", "Draining")
		if size := evaluate[string](t, b, "getComputedStyle(document.documentElement).fontSize"); size != "32px" {
			t.Fatalf("the size of the text is %s", size)
		}
		b.wantFit(t, width)
	}
}

// wantFit checks that no texts are printed over each other, links are large enough, and the page is not too wide.
func (b *tab) wantFit(t *testing.T, width int64) {
	t.Helper()
	for _, problem := range evaluate[[]string](t, b, overprinted) {
		t.Errorf("%d wide: %s", width, problem)
	}
	if got := evaluate[int64](t, b, "document.documentElement.scrollWidth"); got > width {
		t.Errorf("the page is %d wide on a screen of %d", got, width)
	}
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
	b.wantUnknown(t, "Up")
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

// wantUnknown checks that the heading, its colour and the message for screen readers show that the state is not known.
func (b *tab) wantUnknown(t *testing.T, was string) {
	t.Helper()
	if before := evaluate[string](t, b, `getComputedStyle(document.querySelector("h1"), "::before").content`); before !=
		`"Unknown, was: "` || b.text(t, "h1") != was {
		t.Errorf("the heading is %s %q", before, b.text(t, "h1"))
	}
	color := evaluate[string](t, b, `getComputedStyle(document.getElementById("verdict")).backgroundColor`)
	if color != "rgb(89, 98, 111)" && color != "rgb(72, 80, 91)" { // --verdict-none
		t.Errorf("the verdict is still %s", color)
	}
	if got := b.text(t, "#announce"); !strings.HasPrefix(got, "Unknown, was: "+was) {
		t.Errorf("announced is %q", got)
	}
}

// TestPageNoticesSilence checks that a page shows that the state is unknown when its server hangs, and after the
// computer has slept, when only the wall clock shows that nothing came for long.
func TestPageNoticesSilence(t *testing.T) {
	d := startDemo(t, nil)
	b := openBrowser(t)
	b.goTo(t, d.origin+"/")
	b.awaitText(t, "#live", "live")
	d.Signal(t, syscall.SIGSTOP)
	evaluate[any](t, b, `(() => { const now = Date.now; Date.now = () => now() + 13_000; })() ?? null`)
	b.awaitText(t, "#live", "Not live: no events for 0:")
	b.wantUnknown(t, "Up")
	if title, icon := evaluate[string](t, b, "document.title"), b.icon(t); !strings.HasPrefix(title, "Unknown, was: Up") ||
		!strings.HasPrefix(icon, "/assets/none-") {
		t.Errorf("the title is %q and the icon %q", title, icon)
	}
	d.Signal(t, syscall.SIGCONT)
	testbed.Eventually(t, "the page to be live again", bound, func() bool {
		return b.text(t, "#live") == "live" && strings.HasPrefix(evaluate[string](t, b, "document.title"), "Up · ")
	})
	b.wantQuiet(t, d.origin)
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
