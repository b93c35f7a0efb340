package e2e

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"

	"github.com/signal-sidecar/signal-sidecar/testbed"
)

// tab is a page in a headless browser of its own.
type tab struct {
	ctx context.Context

	mu       sync.Mutex
	asked    []string // requested URLs
	problems []string // messages in the console, and exceptions
}

// openBrowser starts a browser, which ends with the test.
func openBrowser(t *testing.T, more ...chromedp.ExecAllocatorOption) *tab {
	t.Helper()
	path, err := exec.LookPath("chromium")
	if err != nil {
		testbed.Missing(t, "chromium (tools/components.sh install browser)")
	}
	options := append(chromedp.DefaultExecAllocatorOptions[:len(
		chromedp.DefaultExecAllocatorOptions):len(chromedp.DefaultExecAllocatorOptions)],
		chromedp.ExecPath(path), chromedp.UserDataDir(t.TempDir()), chromedp.Env("HOME="+t.TempDir()))
	options = append(options, more...)
	allocator, end := chromedp.NewExecAllocator(context.Background(), options...)
	t.Cleanup(end)
	b := new(tab)
	ctx, cancel := chromedp.NewContext(allocator, chromedp.WithListener(b.note))
	t.Cleanup(cancel)
	b.ctx = ctx
	_, err = chromedp.Call(ctx, network.Enable, network.EnableParams{})
	testbed.Must(t, err)
	return b
}

// note keeps what the page requests, and its messages in the console.
func (b *tab) note(event any) {
	b.mu.Lock()
	defer b.mu.Unlock()
	switch e := event.(type) {
	case *network.EventRequestWillBeSent:
		b.asked = append(b.asked, e.Request.URL)
	case *log.EventEntryAdded:
		b.problems = append(b.problems, fmt.Sprintf("%s: %s %s", e.Entry.Level, e.Entry.Text, e.Entry.URL))
	case *runtime.EventConsoleAPICalled:
		b.problems = append(b.problems, fmt.Sprintf("console.%s", e.Type))
	case *runtime.EventExceptionThrown:
		b.problems = append(b.problems, e.ExceptionDetails.Text)
	}
}

// wantQuiet checks that the page requested only its own server, and that its console is empty.
func (b *tab) wantQuiet(t *testing.T, origin string) {
	t.Helper()
	b.mu.Lock()
	defer b.mu.Unlock()
	if len(b.problems) > 0 {
		t.Errorf("the console says %q", b.problems)
	}
	if len(b.asked) < 3 {
		t.Errorf("only %q were asked for", b.asked)
	}
	for _, url := range b.asked {
		if !strings.HasPrefix(url, origin+"/") {
			t.Errorf("the page asked for %s", url)
		}
	}
}

func (b *tab) goTo(t *testing.T, url string) {
	t.Helper()
	testbed.Must(t, chromedp.Do(b.ctx, chromedp.Navigate(url)))
}

// evaluate returns the value of a JavaScript expression in the page.
func evaluate[T any](t *testing.T, b *tab, expression string) T {
	t.Helper()
	value, err := chromedp.Run(b.ctx, chromedp.Evaluate[T](expression))
	if err != nil {
		t.Fatalf("%s: %v", expression, err)
	}
	return value
}

// text returns the text of an element, or "" if it is missing.
func (b *tab) text(t *testing.T, selector string) string {
	t.Helper()
	return evaluate[string](t, b, fmt.Sprintf(`document.querySelector(%q)?.innerText ?? ""`, selector))
}

// awaitText waits until the text of an element contains want.
func (b *tab) awaitText(t *testing.T, selector, want string) {
	t.Helper()
	testbed.Eventually(t, fmt.Sprintf("%s to say %q", selector, want), bound, func() bool {
		return strings.Contains(b.text(t, selector), want)
	})
}

// look sets the size of the window, and the colour scheme that the user prefers (light or dark).
func (b *tab) look(t *testing.T, width, height int64, scheme string) {
	t.Helper()
	_, err := chromedp.Call(b.ctx, emulation.SetDeviceMetricsOverride, emulation.SetDeviceMetricsOverrideParams{
		Width: width, Height: height, DeviceScaleFactor: 1, Mobile: width < 600,
	})
	testbed.Must(t, err)
	_, err = chromedp.Call(b.ctx, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{
		Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: scheme}},
	})
	testbed.Must(t, err)
}

// choose selects the contents of an element, and returns the selected text.
func (b *tab) choose(t *testing.T, element string) string {
	t.Helper()
	evaluate[any](t, b, fmt.Sprintf("getSelection().selectAllChildren(%s) ?? null", element))
	return b.selected(t)
}

// selected returns the selected text.
func (b *tab) selected(t *testing.T) string {
	t.Helper()
	return evaluate[string](t, b, "getSelection().toString()")
}

// withoutScript turns JavaScript off for the next page.
func (b *tab) withoutScript(t *testing.T) {
	t.Helper()
	_, err := chromedp.Call(b.ctx, emulation.SetScriptExecutionDisabled,
		emulation.SetScriptExecutionDisabledParams{Value: true})
	testbed.Must(t, err)
}

// photograph writes a picture of the whole page as a PNG.
func (b *tab) photograph(t *testing.T, path string) {
	t.Helper()
	picture, err := chromedp.Run(b.ctx, chromedp.FullScreenshot(100))
	testbed.Must(t, err)
	testbed.Must(t, os.WriteFile(path, picture, 0o644))
}
