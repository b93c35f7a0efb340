package signalnode

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

// post sends a command as curl -d does.
func post(t *testing.T, url, command string) (code int, text string) {
	t.Helper()
	resp, err := newClient().Post(url, "application/x-www-form-urlencoded", strings.NewReader(command))
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	data, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, string(data)
}

func startControl(t *testing.T) (n *Node, origin string) {
	t.Helper()
	n = startNode(t)
	server := httptest.NewServer(n.Control())
	t.Cleanup(server.Close)
	return n, server.URL
}

func TestControl(t *testing.T) {
	n, origin := startControl(t)
	jicofo, prosody := "jicofo on "+n.Jicofo.Origin(), "prosody on "+n.Prosody.Origin()
	for _, tt := range []struct{ path, command, want string }{
		{"/jicofo", "code 503", jicofo + ": code 503\n"},
		{"/jicofo/stats", "slow 2s\n", jicofo + ": code 503; /stats: slow 2s\n"},
		{"/jicofo/about/health", "body a\nb", jicofo + `: code 503; /about/health: body "a\nb"; /stats: slow 2s` + "\n"},
		{"/jicofo", "crash", jicofo + ": crashed\n"},
		{"/jicofo", " recover\n", jicofo + ": healthy\n"},
		{"/prosody", "reset 2", prosody + ": reset 2\n"},
		{"/prosody/", "hang", prosody + ": hang\n"},
		{"/load", "6000", "load: 6000 participants, 600 conferences\n"},
		{"/load", "61 0\n", "load: 61 participants, 0 conferences\n"},
		{"/load", "61", "load: 61 participants, 7 conferences\n"},
		{"/rooms", "5 2 3", "rooms: 3, with 10 participants\n"},
		{"/rooms", "none", "rooms: 0, with 0 participants\n"},
	} {
		if code, text := post(t, origin+tt.path, tt.command); code != 200 || text != tt.want {
			t.Errorf("%s %q: got %d %q; want 200 %q", tt.path, tt.command, code, text, tt.want)
		}
	}
	if r := get(n.Jicofo.Origin() + "/stats"); !strings.Contains(r.body, `"participants":61,`) {
		t.Errorf("/stats: got %+v", r)
	}
	if r := get(origin + "/health"); r.code != 200 || r.body != "OK\n" { // prosody hangs
		t.Errorf("/health: got %+v", r)
	}
}

func TestControlRefuses(t *testing.T) {
	n, origin := startControl(t)
	before := n.state()
	for _, tt := range []struct {
		path, command string
		code          int
		want          string // a part of the line
	}{
		{"/jicofo", "", 400, `behavior "" is not known; accepted: healthy, code`},
		{"/jicofo", "kaboom", 400, `behavior "kaboom" is not known; accepted: healthy, code`},
		{"/jicofo", "kaboom", 400, "(for a service also: crash, recover)"},
		{"/prosody", "code 99", 400, `behavior "code 99": "99" is not a number from 200 to 599; accepted: code <200-599>`},
		{"/jicofo/stats", "crash", 400, "crash is for jicofo as a whole, not for its path /stats"},
		{"/jicofo/http-bind", "hang", 400, `jicofo has no path "/http-bind"; it has /about/health, /stats`},
		{"/jicofo", "body " + strings.Repeat("x", controlBody), 400, "the command is longer than 65536 bytes"},
		{"/load", "", 400, `invalid load ""; accepted: <participants> [<conferences>], each from 0 to 1000000000`},
		{"/load", "-5", 400, `invalid load "-5"`},
		{"/load", "1 2 3", 400, `invalid load "1 2 3"`},
		{"/load", strings.Repeat("9", 1000), 400, "invalid load"},
		{"/rooms", "", 400, `invalid rooms ""; accepted: the participants of each`},
		{"/rooms", "5 two", 400, `invalid rooms "5 two"`},
		{"/jitsi", "hang", 404, `no command POST "/jitsi"; GET / lists the commands`},
		{"/", "hang", 404, `no command POST "/"; GET / lists the commands`},
	} {
		code, text := post(t, origin+tt.path, tt.command)
		if code != tt.code || !strings.Contains(text, tt.want) || strings.Index(text, "\n") != len(text)-1 ||
			len(text) > 500 {
			t.Errorf("%s %.50q: got %d %q; want %d and one line with %q", tt.path, tt.command, code, text, tt.code, tt.want)
		}
	}
	if r := get(origin + "/jicofo"); r.code != 404 {
		t.Errorf("GET of a command: got %+v, want 404", r)
	}
	if now := n.state(); now != before {
		t.Errorf("the state changed from\n%sto\n%s", before, now)
	}
}

func TestControlListsStateAndCommands(t *testing.T) {
	n, origin := startControl(t)
	n.Prosody.Set("/room-census", MustParseBehavior("drip"))
	r := get(origin + "/")
	if r.code != 200 || r.contentType != plainText {
		t.Errorf("got %+v", r)
	}
	for _, want := range []string{
		"jicofo on " + n.Jicofo.Origin() + ": healthy\n",
		"; /room-census: drip\n",
		"load: 10 participants, 3 conferences\n",
		"rooms: 3, with 10 participants\n",
		"curl " + strings.TrimPrefix(origin, "http://") + "/jicofo -d crash",
		"redirect <1-1000>|loop",
	} {
		if !strings.Contains(r.body, want) {
			t.Errorf("no %q in\n%s", want, r.body)
		}
	}
}

func TestControlTellsOfFailure(t *testing.T) {
	n, origin := startControl(t)
	if err := n.Close(); err != nil {
		t.Fatal(err)
	}
	code, text := post(t, origin+"/jicofo", "recover")
	if code != 500 || !strings.Contains(text, "the node was closed") {
		t.Errorf("got %d %q", code, text)
	}
}

func TestControlRefusesPagesOfOtherOrigins(t *testing.T) {
	n, origin := startControl(t)
	req, err := http.NewRequest(http.MethodPost, origin+"/jicofo", strings.NewReader("crash"))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Origin", "http://elsewhere.example")
	resp, err := newClient().Do(req)
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if resp.StatusCode != http.StatusForbidden || !n.Jicofo.running() {
		t.Errorf("got %d, running %v; want 403, true", resp.StatusCode, n.Jicofo.running())
	}
}
