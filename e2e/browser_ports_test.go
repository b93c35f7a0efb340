package e2e

import (
	"fmt"
	"os/exec"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"

	"github.com/signal-sidecar/signal-sidecar/testbed"
)

// TestBrowserRefusesTheBlockedPorts compares the notices about PAGE_PORT with the ports that a real browser refuses:
// blocked ports from the whole list, and some ports next to them.
func TestBrowserRefusesTheBlockedPorts(t *testing.T) {
	b := openBrowser(t)
	for _, port := range []int{1, 22, 23, 25, 53, 69, 80, 87, 143, 161, 443, 554, 636, 989, 995, 1720, 2049, 4045, 4190,
		5060, 5061, 5999, 6000, 6001, 6061, 6566, 6665, 6669, 6679, 6697, 8080, 10080, 10081} {
		err := chromedp.Do(b.ctx, chromedp.Navigate(fmt.Sprintf("http://127.0.0.1:%d/", port)))
		refused := err != nil && strings.Contains(err.Error(), "ERR_UNSAFE_PORT")
		if port == 4190 || port == 6679 {
			refused = true // blocked by the standard since 2024, and by WebKit and Firefox; not by every Chromium
		}
		check := exec.Command(testbed.Binary(t), "check-config")
		check.Dir = t.TempDir()
		check.Env = vars{"HTTP_PORT": "0", "TCP_PORT": "0", "PAGE_PORT": fmt.Sprint(port)}.Environ()
		out, checkErr := check.Output()
		testbed.Must(t, checkErr)
		if noticed := strings.Contains(string(out), "cannot be opened in a browser"); noticed != refused {
			t.Errorf("port %d: a notice: %t; the browser says %v", port, noticed, err)
		}
	}
}
