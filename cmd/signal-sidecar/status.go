package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/alecthomas/kong"

	"github.com/signal-sidecar/signal-sidecar/health"
)

// The exit codes of status, fit for a container's health check.
const (
	exitUp      = 0
	exitDown    = 1
	exitUnknown = 2
)

const (
	statusTimeout  = 5 * time.Second
	watchInterval  = time.Second
	maxExplanation = 1 << 20 // bytes
)

// statusCommand asks a running sidecar.
type statusCommand struct {
	URL   string `help:"Where the sidecar listens; http://127.0.0.1 and HTTP_PORT without it." placeholder:"URL"`
	JSON  bool   `name:"json" help:"Print the answer of /signal/explain as it is."`
	Watch bool   `help:"Go on, and print each change, until interrupted."`
}

func (s statusCommand) Run(ctx context.Context, line *kong.Context, env *environment, std streams) error {
	base, err := s.base(line, env)
	if err != nil {
		return err
	}
	code := exitUnknown
	for shown := ""; ; {
		f := s.ask(ctx, base)
		if ctx.Err() == nil { // else it was not the sidecar that gave no answer
			code = f.code
			if f.words != shown {
				f.print(std, s.JSON)
				shown = f.words
			}
		}
		if s.Watch && pause(ctx, watchInterval) {
			continue
		}
		if code == exitUp {
			return nil
		}
		return exitError(code)
	}
}

// finding is what asking came to.
type finding struct {
	words string // for a person
	body  []byte // the explanation as it came; nil without one
	code  int    // to exit with
}

// print shows a finding. A program that reads JSON is not given anything else to read.
func (f finding) print(std streams, asJSON bool) {
	switch {
	case !asJSON:
		fmt.Fprintln(std.stdout, f.words)
	case f.body == nil:
		fmt.Fprintln(std.stderr, "signal-sidecar:", f.words)
	default:
		fmt.Fprintln(std.stdout, string(f.body))
	}
}

// base is the origin of the sidecar that is asked.
func (s statusCommand) base(line *kong.Context, env *environment) (string, error) {
	if s.URL != "" {
		base, err := origin(s.URL)
		if err != nil {
			return "", &settingError{"--url", value{s.URL, "flag"}, err}
		}
		return base, nil
	}
	c, err := newConfig(line, env)
	if err != nil {
		return "", err
	}
	host, port, err := net.SplitHostPort(c.httpAddress)
	if err != nil {
		return "", err
	}
	if ip := net.ParseIP(host); host == "" || ip != nil && ip.IsUnspecified() {
		host = "127.0.0.1"
	}
	return (&url.URL{Scheme: "http", Host: net.JoinHostPort(host, port)}).String(), nil
}

// ask asks once.
func (s statusCommand) ask(ctx context.Context, base string) finding {
	body, err := get(ctx, base+"/signal/explain")
	if op := (*net.OpError)(nil); errors.As(err, &op) {
		op.Source = nil // our own port, which is another one each time
	}
	if err != nil {
		return finding{words: fmt.Sprintf("unknown: %v", err), code: exitUnknown}
	}
	var e health.Explanation
	if err := json.Unmarshal(body, &e); err != nil {
		return finding{words: fmt.Sprintf("unknown: the answer of %s is not an explanation: %v", base, err), code: exitUnknown}
	}
	f := finding{words: inWords(e), body: body}
	switch {
	case e.State == health.StateNone:
		f.code = exitUnknown
	case e.State == health.StateDown:
		f.code = exitDown
	case slices.Contains(health.Statuses, health.Status(e.State)):
		f.code = exitUp
	default: // somebody else's JSON
		return finding{words: fmt.Sprintf("unknown: the answer of %s is not an explanation: its state is %.40q", base, e.State), code: exitUnknown}
	}
	return f
}

func get(ctx context.Context, url string) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, statusTimeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return nil, err
	}
	client := &http.Client{Transport: &http.Transport{Proxy: nil, DisableKeepAlives: true, DialContext: dialAsker}}
	res, err := client.Do(req)
	if err != nil {
		return nil, err
	}
	defer res.Body.Close()
	body, err := io.ReadAll(io.LimitReader(res.Body, maxExplanation))
	if err != nil {
		return nil, fmt.Errorf("read the answer of %s: %w", url, err)
	}
	switch res.StatusCode {
	case http.StatusOK:
		return body, nil
	case http.StatusNotFound:
		return nil, fmt.Errorf("%s is not there: is it a signal-sidecar, and of this version?", url)
	default:
		return nil, fmt.Errorf("%s answered %d: is it a signal-sidecar?", url, res.StatusCode)
	}
}

// asker is a connection that listens only after it has spoken: what a server says unasked, such as an agent on the wrong
// port, is then told as the malformed answer that it is.
type asker struct {
	net.Conn
	spoken chan struct{}
	speak  func()
}

func dialAsker(ctx context.Context, network, address string) (net.Conn, error) {
	conn, err := new(net.Dialer).DialContext(ctx, network, address)
	if err != nil {
		return nil, err
	}
	spoken := make(chan struct{})
	return &asker{conn, spoken, sync.OnceFunc(func() { close(spoken) })}, nil
}

func (a *asker) Read(b []byte) (int, error) {
	<-a.spoken
	return a.Conn.Read(b)
}

func (a *asker) Write(b []byte) (int, error) {
	defer a.speak()
	return a.Conn.Write(b)
}

func (a *asker) Close() error {
	defer a.speak()
	return a.Conn.Close()
}

// inWords is the explanation for a person.
func inWords(e health.Explanation) string {
	var b strings.Builder
	if e.State == health.StateNone {
		return "unknown: no verdict yet"
	}
	fmt.Fprint(&b, e.AgentMessage)
	if e.Damped {
		fmt.Fprint(&b, "  (damped by flap mitigation)")
	}
	fmt.Fprintln(&b)
	for _, r := range e.Reasons {
		fmt.Fprintf(&b, "  because  %s, since %s  [%s]\n", r.Text, clock(r.Since), r.Code)
	}
	for _, t := range e.Tolerated {
		fmt.Fprintf(&b, "  tolerated  %s, since %s, until %s\n", t.Text, clock(t.Since), clock(t.Until))
	}
	if n := e.Next; n != nil {
		fmt.Fprintf(&b, "  becomes  %s at %s, if nothing changes\n", n.AgentMessage, clock(n.At))
	}
	if e.Incident != "" {
		fmt.Fprintf(&b, "  incident %s\n", e.Incident)
	}
	return strings.TrimSuffix(b.String(), "\n")
}

func clock(t health.Time) string { return time.Time(t).UTC().Format("2006-01-02 15:04:05Z") }

// pause waits for d, and reports false if ctx ended first.
func pause(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-timer.C:
		return true
	}
}
