package main_test

import (
	"encoding/json"
	"fmt"
	"io"
	"math"
	"net"
	"net/http"
	"net/http/httptest"
	"os/exec"
	"regexp"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/signal-sidecar/signal-sidecar/health"
	"github.com/signal-sidecar/signal-sidecar/testbed"
)

// Exit codes of status.
const (
	saysUp      = 0
	saysDown    = 1
	saysUnknown = 2
)

// lasting are intervals that are longer than any test.
var lasting = vars{"DRAIN_GRACE_INTERVAL": "3600", "HEALTH_DAMPENING_INTERVAL": "600"}

// wantStatus runs signal-sidecar status and checks its exit code and its output. Each line is a pattern.
func wantStatus(t *testing.T, when string, v vars, args []string, code int, lines ...string) {
	t.Helper()
	r := run(t, v, append([]string{"status"}, args...)...)
	if r.code != code || r.stderr != "" {
		t.Errorf("%s: exit %d, want %d; standard error %q", when, r.code, code, r.stderr)
	}
	if pattern := "^" + strings.Join(lines, "\n") + "\n$"; !regexp.MustCompile(pattern).MatchString(r.stdout) {
		t.Errorf("%s: it says\n%swant\n%s", when, r.stdout, strings.Join(lines, "\n"))
	}
}

// Patterns of parts of the output.
const (
	clock    = `[0-9]{2}:[0-9]{2}:[0-9]{2}Z`
	grace    = `  grace    jicofo failing: drains until ` + clock + ` \(DRAIN_GRACE_INTERVAL\)`
	moment   = `20[0-9]{2}-[0-9]{2}-[0-9]{2} [0-9]{2}:[0-9]{2}:[0-9]{2}Z`
	incident = `  incident 20[0-9]{6}T[0-9]{6}\.[0-9]{3}Z-[0-9A-Za-z-]+`
)

func because(text, code string) string {
	return "  because  " + text + ", since " + moment + `  \[` + code + `\]`
}

func becomes(line string) string {
	return "  becomes  " + line + " at " + moment + ", if nothing changes"
}

// TestStatus runs status on a sidecar in every state.
func TestStatus(t *testing.T) {
	t.Parallel()
	s := startShard(t, lasting)
	url := []string{"--url", "http://" + s.HTTP}
	for _, step := range []struct {
		name  string
		do    func()
		line  string // the agent's reply
		code  int
		lines []string
	}{
		{"up", func() {}, "up ready 100%", saysUp, []string{"up ready 100%"}},
		{"drain", func() { s.Say(t, "drain") }, "up drain 0%", saysUp, []string{
			"up drain 0%",
			because("the status file says drain", "status_drain")}},
		{"maint", func() { s.Say(t, "maint") }, "up maint 0%", saysUp, []string{
			"up maint 0%",
			because("the status file says maint", "status_maint")}},
		{"unknown word", func() { s.Say(t, "\x1b[31m?") }, "up drain 100%", saysUp, []string{
			"up drain 100%", because(`the status file says "\\x1b\[31m\?", which is no known word`, "status_unknown"),
		}},
		{"up again", func() { s.Say(t, "ready") }, "up ready 100%", saysUp, []string{"up ready 100%"}},
		{"in grace", func() { s.jicofo("code 503") }, "up drain 0%", saysUp, []string{
			"up drain 0%", grace,
			because("jicofo answered 503: Health check timed out, overloaded", "jicofo_overloaded"),
			becomes("down ready 100%"), incident,
		}},
		{"down", func() { s.prosody("code 500") }, "down ready 100%", saysDown, []string{
			"down ready 100%",
			because("prosody answered 500", "prosody_unhealthy"),
			because("jicofo answered 503: Health check timed out, overloaded", "jicofo_overloaded"), incident,
		}},
	} {
		step.do()
		s.becomes(t, step.line)
		wantStatus(t, step.name, nil, url, step.code, step.lines...)
	}
	s.jicofo("healthy")
	s.prosody("healthy")
	testbed.Eventually(t, "the damped return", bound, func() bool {
		return len(s.Logged("verdict changed", "damped", "true", "to", "down ready 100%")) == 1
	})
	wantStatus(t, "damped", nil, url, saysDown,
		"down ready 100%", "  damped   healthy since "+clock+": counts as up at "+clock+` \(HEALTH_DAMPENING_INTERVAL\)`,
		because("healthy again, but not yet for 10m0s", "dampening"),
		becomes("up ready 100%"), incident)
}

// TestStatusSelf checks that a health check observes the sidecar, not the node.
func TestStatusSelf(t *testing.T) {
	t.Parallel()
	s := startShard(t, lasting)
	s.becomes(t, "up ready 100%")
	s.jicofo("code 503")
	s.becomes(t, "up drain 0%")
	s.prosody("code 500")
	s.becomes(t, "down ready 100%")
	wantStatus(t, "down", nil, []string{"--self", "--url", "http://" + s.HTTP}, 0, "OK")
}

// TestStatusSelfFails checks that a health check that fails prints one line with the reason, within the 6 s that the
// image allows it, and exits with 1, whatever the reason is.
func TestStatusSelfFails(t *testing.T) {
	t.Parallel()
	reply := func(handler http.HandlerFunc) string {
		server := httptest.NewServer(handler)
		t.Cleanup(server.Close)
		return server.URL
	}
	hang := func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }
	stuck := func(w http.ResponseWriter, _ *http.Request) {
		http.Error(w, "the jicofo poll loop makes no progress", http.StatusServiceUnavailable)
	}
	reset := func(w http.ResponseWriter, _ *http.Request) {
		conn, _, err := w.(http.Hijacker).Hijack()
		testbed.Must(t, err)
		testbed.Must(t, conn.(*net.TCPConn).SetLinger(0))
		testbed.Must(t, conn.Close())
	}
	testbed.Binary(t) // the first use builds it
	folder := t.TempDir()
	bad := write(t, folder, ".env", "no setting\n")
	for name, c := range map[string]struct {
		settings vars
		url      string // "" for none
		says     string
	}{
		"refused":                    {nil, "http://127.0.0.1:" + testbed.LastingPort(t), "does not accept connections"},
		"refused, by the settings":   {vars{"HTTP_PORT": testbed.LastingPort(t)}, "", "does not accept connections"},
		"never accepted":             {nil, "http://127.0.0.1:" + occupy(t), "no complete reply within 5s"},
		"hung":                       {nil, reply(hang), "no complete reply within 5s"},
		"reset":                      {nil, reply(reset), "reset the connection"},
		"a poll loop without polls":  {nil, reply(stuck), "that it does not work: the jicofo poll loop"},
		"another program":            {nil, reply(http.NotFound), "answered 404"},
		"a bad port":                 {vars{"HTTP_PORT": "x"}, "", "HTTP_PORT"},
		"a bad setting":              {vars{"POLLING_INTERVAL": "0"}, "", "POLLING_INTERVAL"},
		"no settings file":           {vars{"ENV_FILE": folder + "/none"}, "", "none"},
		"a bad settings file":        {vars{"ENV_FILE": bad}, "", ".env"},
		"a bad URL":                  {nil, "127.0.0.1", "--url"},
		"no web configuration":       {vars{"WEB_CONFIG_FILE": folder + "/none"}, "", "WEB_CONFIG_FILE"},
		"a port that cannot be used": {vars{"HTTP_PORT": "0"}, "", "unknown"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			args := []string{"status", "--self"}
			if c.url != "" {
				args = append(args, "--url", c.url)
			}
			began := time.Now()
			r := run(t, c.settings, args...)
			out := r.stdout + r.stderr
			if r.code != 1 || !strings.Contains(out, c.says) || strings.Count(out, "\n") != 1 {
				t.Errorf("exit %d, %q, want 1 and one line with %q", r.code, out, c.says)
			}
			if took := time.Since(began); took > statusTime {
				t.Errorf("it took %s", took)
			}
		})
	}
	if r := run(t, nil, "status", "--self", "--bogus"); r.code != 1 {
		t.Errorf("an unknown flag: exit %d", r.code)
	}
}

// TestStatusWithDescription checks that status prints the same reply as HAProxy gets.
func TestStatusWithDescription(t *testing.T) {
	t.Parallel()
	s := startShard(t, lasting.With(vars{"AGENT_DESCRIPTION": "true"}))
	s.becomes(t, "up ready 100%")
	s.jicofo("code 503")
	s.becomes(t, "up drain 0% #jicofo_overloaded: jicofo answered 503: Health check timed out, overloaded")
	wantStatus(t, "in grace", nil, []string{"--url", "http://" + s.HTTP}, saysUp,
		`up drain 0% #jicofo_overloaded: jicofo answered 503: Health check timed out, overloaded`, grace,
		because("jicofo answered 503: Health check timed out, overloaded", "jicofo_overloaded"),
		becomes("down ready 100% #jicofo_overloaded: jicofo answered 503: Health check timed out, overloaded"), incident)
}

// TestStatusBeforeTheVerdict runs status before jicofo's first reply.
func TestStatusBeforeTheVerdict(t *testing.T) {
	t.Parallel()
	s := newShard(t, vars{"PROBE_TIMEOUT": "60"})
	s.jicofo("hang")
	s.start(t)
	wantStatus(t, "before the first verdict", nil, []string{"--url", "http://" + s.HTTP}, saysUnknown,
		"unknown: no verdict yet")
}

// TestStatusJSON checks that --json prints the sidecar's reply unchanged. Without a reply it prints only to standard
// error.
func TestStatusJSON(t *testing.T) {
	t.Parallel()
	s := startShard(t, lasting.With(vars{"POLLING_INTERVAL": "3600"}))
	s.becomes(t, "up ready 100%")
	for _, step := range []struct {
		word, state string
		code        int
	}{{"ready", "ready", saysUp}, {"maint", "maint", saysUp}, {"unhealthy", "down", saysDown}} {
		s.Say(t, step.word)
		testbed.Eventually(t, step.state, bound, func() bool {
			_, body := testbed.Get("http://" + s.HTTP + "/signal/explain")
			return strings.Contains(body, `"state":"`+step.state+`"`)
		})
		_, body := testbed.Get("http://" + s.HTTP + "/signal/explain")
		r := run(t, nil, "status", "--json", "--url", "http://"+s.HTTP)
		if r.code != step.code || r.stdout != body+"\n" || r.stderr != "" {
			t.Errorf("%s: exit %d, standard error %q, and\n%swant exit %d and\n%s",
				step.word, r.code, r.stderr, r.stdout, step.code, body)
		}
		if e := (health.Explanation{}); json.Unmarshal([]byte(r.stdout), &e) != nil || e.State != step.state {
			t.Errorf("%s: %+v", step.word, e)
		}
	}
	r := run(t, nil, "status", "--json", "--url", "http://127.0.0.1:1")
	if r.code != saysUnknown || r.stdout != "" || !strings.HasPrefix(r.stderr, "signal-sidecar: unknown: ") {
		t.Errorf("no sidecar: exit %d, %q, standard error %q", r.code, r.stdout, r.stderr)
	}
}

// TestStatusWithoutASidecar runs status on servers that are not a sidecar, and on a port without a server. Status
// prints one line that begins with unknown, within its time limit.
func TestStatusWithoutASidecar(t *testing.T) {
	t.Parallel()
	answer := func(code int, body string) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(code)
			_, _ = io.WriteString(w, body)
		}
	}
	up := `{"state":"ready","agentmessage":"up ready 100%"}`
	for _, c := range []struct {
		name   string
		answer http.HandlerFunc
		says   string
	}{
		{"not found", http.NotFound, "/signal/explain answered 404: is that HTTP_PORT?"},
		{"an error with a body", answer(503, up), "answered 503: is that HTTP_PORT?"},
		{"no content", answer(204, ""), "answered 204: is that HTTP_PORT?"},
		{"empty", answer(200, ""), `it begins with "": is that HTTP_PORT?`},
		{"HTML", answer(200, "<html>"), `is not a sidecar's, it begins with "<html>": is that HTTP_PORT?`},
		{"half", answer(200, up[:20]), "it begins with"},
		{"two", answer(200, up+up), "it begins with"},
		{"null", answer(200, "null"), `its state is ""`},
		{"a list", answer(200, "[]"), `it begins with "[]"`},
		{"another object", answer(200, `{"status":"UP"}`), `its state is ""`},
		{"another state", answer(200, `{"state":"\u001b[2Jfine"}`), `its state is "\x1b[2Jfine"`},
		{"another type", answer(200, `{"state":{"code":1}}`), "it begins with"},
		{"a time that is none", answer(200, `{"state":"ready","time":"now"}`), "it begins with"},
		{
			"huge", func(w http.ResponseWriter, _ *http.Request) {
				endless(w, up[:1]+strings.Repeat(" ", 1<<16))
			}, "it begins with"},
		{
			"a redirect to itself", func(w http.ResponseWriter, r *http.Request) {
				http.Redirect(w, r, r.URL.Path, http.StatusFound)
			}, "10 redirects"},
		{"a hung answer", func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() },
			"gave no complete reply within 5s"},
		{"a hung body", func(w http.ResponseWriter, r *http.Request) {
			_, _ = io.WriteString(w, up[:20])
			_ = http.NewResponseController(w).Flush()
			<-r.Context().Done()
		}, "gave no complete reply within 5s"},
		{"cut off", func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", "1000")
			_, _ = io.WriteString(w, up)
		}, "closed the connection at 127.0.0.1:"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			server := httptest.NewServer(c.answer)
			t.Cleanup(server.Close)
			wantUnknown(t, server.URL, c.says)
		})
	}
	t.Run("no sidecar", func(t *testing.T) {
		t.Parallel()
		port := testbed.LastingPort(t)
		wantUnknown(t, "http://127.0.0.1:"+port,
			"the sidecar does not accept connections at 127.0.0.1:"+port+": does it run, and is that HTTP_PORT?")
	})
	t.Run("a port that never answers", func(t *testing.T) {
		t.Parallel()
		wantUnknown(t, "http://127.0.0.1:"+occupy(t), "gave no complete reply within 5s")
	})
	t.Run("not HTTP", func(t *testing.T) {
		t.Parallel()
		s := startShard(t, nil)
		wantUnknown(t, "http://"+s.Agent, "the sidecar ")
	})
	t.Run("no such host", func(t *testing.T) {
		t.Parallel()
		wantUnknown(t, "http://host.invalid", `cannot be found: `)
	})
	t.Run("no TLS", func(t *testing.T) {
		t.Parallel()
		s := startShard(t, nil)
		wantUnknown(t, "https://"+s.HTTP, "the sidecar does not use TLS at "+s.HTTP)
	})
}

// statusTime is twice the time that status allows itself, because the machine may be busy.
const statusTime = 10 * time.Second

// wantUnknown runs status, which must print the problem in one line.
func wantUnknown(t *testing.T, url, problem string) {
	t.Helper()
	testbed.Binary(t) // the first use builds it
	began := time.Now()
	r := run(t, nil, "status", "--url", url)
	if r.code != saysUnknown || r.stderr != "" || strings.Count(r.stdout, "\n") != 1 ||
		!strings.HasPrefix(r.stdout, "unknown: ") ||
		!strings.Contains(r.stdout, problem) || strings.ContainsAny(r.stdout, "\x1b") {
		t.Errorf("exit %d, standard error %q, and\n%q, want one line with %q", r.code, r.stderr, r.stdout, problem)
	}
	if took := time.Since(began); took > statusTime {
		t.Errorf("it took %s", took)
	}
}

// endless writes the beginning, and then white space until the reader closes the connection.
func endless(w io.Writer, beginning string) {
	for _, err := io.WriteString(w, beginning); err == nil; {
		_, err = io.WriteString(w, strings.Repeat(" ", 1<<16))
	}
}

// TestStatusFindsTheSidecar runs status without --url. It uses the sidecar's settings.
func TestStatusFindsTheSidecar(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ address, asked string }{
		{"", "127.0.0.1"}, {"0.0.0.0", "127.0.0.1"}, {"::", "127.0.0.1"},
		{"127.0.0.2", "127.0.0.2"}, {"::1", "::1"}, {"localhost", "localhost"},
	} {
		t.Run(c.address, func(t *testing.T) {
			t.Parallel()
			if l, err := net.Listen("tcp", net.JoinHostPort(c.address, "0")); err != nil {
				t.Skipf("%s cannot be bound here: %v", c.address, err)
			} else {
				_ = l.Close()
			}
			where := vars{"HTTP_ADDR": c.address, "HTTP_PORT": testbed.LastingPort(t)}
			wantStatus(t, "no sidecar", where, nil, saysUnknown,
				"unknown: the sidecar does not accept connections at "+
					regexp.QuoteMeta(net.JoinHostPort(c.asked, where["HTTP_PORT"]))+": does it run, .*")
			s := startShard(t, where)
			s.becomes(t, "up ready 100%")
			wantStatus(t, "by the environment", where, nil, saysUp, "up ready 100%")
			wantStatus(t, "by flags", nil, where.Flags(), saysUp, "up ready 100%")
			folder := t.TempDir()
			write(t, folder, ".env", where.EnvFile())
			if r := runIn(t, folder, nil, "status"); r.code != saysUp || r.stdout != "up ready 100%\n" {
				t.Errorf("by .env: %+v", r)
			}
		})
	}
}

// TestStatusURL checks that an origin may have a path and a slash at its end, and that variables with the names of the
// flags have no effect.
func TestStatusURL(t *testing.T) {
	t.Parallel()
	s := startShard(t, nil)
	s.becomes(t, "up ready 100%")
	behind := httptest.NewServer(http.StripPrefix("/shard",
		http.RedirectHandler("http://"+s.HTTP+"/signal/explain", http.StatusFound)))
	t.Cleanup(behind.Close)
	foreign := vars{
		"URL": "http://127.0.0.1:1", "JSON": "true", "WATCH": "true",
		"http_proxy": "http://127.0.0.1:1", "HTTP_PROXY": "http://127.0.0.1:1",
	}
	for _, url := range []string{
		"http://" + s.HTTP, "http://" + s.HTTP + "/", "HTTP://" + s.HTTP, behind.URL + "/shard", behind.URL + "/shard/",
	} {
		wantStatus(t, url, foreign, []string{"--url=" + url}, saysUp, "up ready 100%")
	}
}

// TestStatusBadUse checks that a bad flag or setting is reported in the same way as in the other commands.
func TestStatusBadUse(t *testing.T) {
	t.Parallel()
	for _, url := range []string{
		"127.0.0.1:6000", "localhost", "ftp://localhost", "http://", "http://:6000", "http://localhost:0",
		"http://localhost:port", "http://localhost:65536", "http://a b", "http://me:secret@localhost?x",
		"http://localhost?a=b", "http://localhost#a",
	} {
		r := run(t, nil, "status", "--url", url)
		want := fmt.Sprintf(
			"signal-sidecar: --url=%q (flag): must be an origin: http or https, optional user:password@, host and optional port, such as http://localhost:8888\n",
			strings.NewReplacer("me:secret@", "xxxxx@", "?x", "?xxxxx", "?a=b", "?xxxxx").Replace(url))
		if r.code != 2 || r.stdout != "" || r.stderr != want {
			t.Errorf("%s: exit %d, %q, standard error\n%swant\n%s", url, r.code, r.stdout, r.stderr, want)
		}
	}
	for _, c := range []struct {
		v    vars
		args []string
		says string
	}{
		{vars{"HTTP_PORT": "high"}, nil, `HTTP_PORT="high" (environment): must be a port`},
		{nil, []string{"--http-addr", "a b"}, `HTTP_ADDR="a b" (flag): must be a host name`},
		{nil, []string{"--url"}, "--url"},
		{nil, []string{"now"}, "now"},
		{nil, []string{"--loud"}, "--loud"},
	} {
		r := run(t, c.v, append([]string{"status"}, c.args...)...)
		if r.code != 2 || r.stdout != "" || len(r.problems()) != 1 || !strings.Contains(r.stderr, c.says) {
			t.Errorf("%v %v: exit %d, %q, standard error %q", c.v, c.args, r.code, r.stdout, r.stderr)
		}
	}
}

// watcher is a running signal-sidecar status --watch.
type watcher struct{ *testbed.Process }

// watch runs signal-sidecar status --watch until the test ends.
func watch(t *testing.T, url string, args ...string) watcher {
	t.Helper()
	cmd := exec.Command(testbed.Binary(t), append([]string{"status", "--watch", "--url", url}, args...)...)
	cmd.Dir, cmd.Env = t.TempDir(), vars{}.Environ()
	return watcher{testbed.Start(t, cmd)}
}

// hasSaid waits until the whole output matches the lines, each of which is a pattern.
func (w watcher) hasSaid(t *testing.T, lines ...string) {
	t.Helper()
	pattern := regexp.MustCompile("^" + strings.Join(lines, "\n") + "\n$")
	defer func() {
		if t.Failed() {
			t.Logf("it has said\n%swant\n%s", w.Stdout(), strings.Join(lines, "\n"))
		}
	}()
	testbed.Eventually(t, "the output of --watch", bound, func() bool { return pattern.MatchString(w.Stdout()) })
}

// endsWith stops a watch with a signal, and checks that it prints nothing more and ends in time.
func (w watcher) endsWith(t *testing.T, s syscall.Signal, want int) {
	t.Helper()
	said := w.Stdout()
	if code, took := w.Stop(t, s); code != want || took > statusTime/2 {
		t.Errorf("after %s: exit %d in %s, want %d", s, code, took, want)
	}
	if w.Stdout() != said || w.Stderr() != "" {
		t.Errorf("after %s it said %q more, and %q", s, strings.TrimPrefix(w.Stdout(), said), w.Stderr())
	}
}

// TestStatusWatch watches a shard from before the start of its sidecar until after its restart. Each change is printed
// once.
func TestStatusWatch(t *testing.T) {
	t.Parallel()
	s := newShard(t, lasting.With(vars{"HTTP_PORT": testbed.LastingPort(t)}))
	url := "http://127.0.0.1:" + s.settings["HTTP_PORT"]
	const starting = `(?:unknown: no verdict yet\n)?` // on a busy machine
	w := watch(t, url)
	said := []string{"unknown: the sidecar does not accept connections at .*: does it run, and is that HTTP_PORT\\?"}
	w.hasSaid(t, said...)
	for _, step := range []struct {
		do    func()
		lines []string
	}{
		{func() { s.start(t) }, []string{starting + "up ready 100%"}},
		{func() { s.Say(t, "drain") }, []string{"up drain 0%", because("the status file says drain", "status_drain")}},
		{func() { s.Say(t, "unhealthy") }, []string{
			"down drain 0%", because("the status file says unhealthy", "status_unhealthy"), incident}},
		{func() { _, _ = s.Stop(t, syscall.SIGTERM) }, said[:1:1]},
		{func() { s.start(t) }, []string{
			starting + "down drain 0%", because("the status file says unhealthy", "status_unhealthy"), incident}},
	} {
		step.do()
		said = append(said, step.lines...)
		w.hasSaid(t, said...)
	}
	w.endsWith(t, syscall.SIGINT, saysDown)
}

// TestStatusWatchEnds checks that the exit code is that of the latest known state, in a pause and in a request.
func TestStatusWatchEnds(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		state string
		code  int
	}{{"ready", saysUp}, {"down", saysDown}, {"none", saysUnknown}} {
		for _, during := range []string{"pause", "request"} {
			for _, sig := range []syscall.Signal{syscall.SIGINT, syscall.SIGTERM} {
				t.Run(c.state+", "+during+", "+sig.String(), func(t *testing.T) {
					t.Parallel()
					answers := math.MaxInt32
					if during == "request" {
						answers = 1
					}
					server, asked := explainer(t, c.state, answers)
					w := watch(t, server)
					said := map[string]string{"ready": "up ready 100%", "down": "up ready 100%", "none": "unknown: no verdict yet"}
					w.hasSaid(t, said[c.state])
					if during == "request" {
						testbed.Eventually(t, "the next request", bound, func() bool { return asked.Load() == 2 })
					}
					w.endsWith(t, sig, c.code)
				})
			}
		}
	}
	t.Run("before any answer", func(t *testing.T) {
		t.Parallel()
		server, asked := explainer(t, "ready", 0)
		w := watch(t, server)
		testbed.Eventually(t, "the first request", bound, func() bool { return asked.Load() == 1 })
		w.endsWith(t, syscall.SIGINT, saysUnknown)
	})
}

// explainer replies to as many requests as answers, as a sidecar in that state, and leaves the other requests waiting.
func explainer(t *testing.T, state string, answers int) (url string, asked *atomic.Int32) {
	t.Helper()
	asked = new(atomic.Int32)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if int(asked.Add(1)) > answers {
			<-r.Context().Done()
			return
		}
		fmt.Fprintf(w,
			`{"time":null,"state":%q,"agentmessage":"up ready 100%%","damped":false,"reasons":[],"next":null}`,
			state)
	}))
	t.Cleanup(server.Close)
	return server.URL, asked
}

// TestStatusWatchPrintsChangesOnly checks that --watch prints only changes. A new time in the reply is not a change,
// and a second failed connection is not one either.
func TestStatusWatchPrintsChangesOnly(t *testing.T) {
	t.Parallel()
	var asked atomic.Int32
	said := func(when, state string) string {
		return fmt.Sprintf(
			`{"time":"2026-01-02T03:04:0%s.000Z","state":%q,"agentmessage":"(%s)","damped":false,"reasons":[],"next":null}`,
			when, state, state)
	}
	answers := []string{said("1", "ready"), said("2", "ready"), "", "", said("5", "down"), said("6", "down")}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		answer := answers[min(int(asked.Add(1)), len(answers))-1]
		if answer != "" {
			_, _ = io.WriteString(w, answer)
			return
		}
		conn, _, _ := http.NewResponseController(w).Hijack()
		_ = conn.(*net.TCPConn).SetLinger(0) // the client sees a reset
		_ = conn.Close()
	}))
	t.Cleanup(server.Close)
	words := watch(t, server.URL)
	testbed.Eventually(t, "all answers", bound, func() bool { return int(asked.Load()) > len(answers) })
	words.hasSaid(t, `\(ready\)`, "unknown: the sidecar reset the connection at .*", `\(down\)`)
	words.endsWith(t, syscall.SIGTERM, saysDown)

	asked.Store(0)
	w := watch(t, server.URL, "--json")
	testbed.Eventually(t, "all answers once more", bound, func() bool { return int(asked.Load()) > len(answers) })
	w.hasSaid(t, regexp.QuoteMeta(answers[0]), regexp.QuoteMeta(answers[4]))
	if problems := w.Stderr(); strings.Count(problems, "\n") != 1 ||
		!strings.HasPrefix(problems, "signal-sidecar: unknown: ") {
		t.Errorf("standard error is %q", problems)
	}
	if code, _ := w.Stop(t, syscall.SIGINT); code != saysDown {
		t.Errorf("exit %d", code)
	}
}
