package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	stdlog "log"
	"slices"
	"strings"
	"time"

	"github.com/alecthomas/kong"

	"github.com/signal-sidecar/signal-sidecar/config"
	"github.com/signal-sidecar/signal-sidecar/health"
	"github.com/signal-sidecar/signal-sidecar/rest"
)

// Exit codes of status, suitable for a container's health check.
const (
	exitUp      = 0
	exitDown    = 1
	exitUnknown = 2
)

const (
	statusTimeout  = 5 * time.Second
	watchInterval  = time.Second
	maxExplanation = 1 << 20 // bytes
	maxStalled     = 256     // bytes
	healthPath     = "/health"
)

// statusCommand requests the explanation of a running sidecar and prints it.
type statusCommand struct {
	URL   string `help:"URL of the sidecar, with user:password@ before the host if it needs a password; by default 127.0.0.1 and HTTP_PORT." placeholder:"URL"`
	CA    string `name:"ca-file" help:"CA certificates (PEM) for an https URL; by default the system's." placeholder:"FILE"`
	Cert  string `name:"cert-file" help:"Client certificate (PEM), if the sidecar requires one." placeholder:"FILE"`
	Key   string `name:"key-file" help:"Key (PEM) of the client certificate." placeholder:"FILE"`
	Self  bool   `help:"Check whether the sidecar itself works, not the node. Exit code 0: it works, 1: it does not. For the health check of a container."`
	JSON  bool   `name:"json" help:"Print the JSON of /signal/explain."`
	Watch bool   `help:"Print each change until interrupted."`
}

func (s statusCommand) Run(ctx context.Context, line *kong.Context, env *config.Environment, std streams) error {
	client, err := s.client(line, env)
	if err != nil {
		return err
	}
	stdlog.SetOutput(io.Discard) // net/http logs a reply that arrives before the request; the error names it too
	if s.Self {
		return client.self(ctx, std)
	}
	code, printed := exitUnknown, ""
	for {
		r := client.request(ctx)
		if ctx.Err() == nil { // an interrupted request gives no information about the node
			code = r.code
			if r.text != printed {
				if err := r.print(std, s.JSON); err != nil {
					fail(std, exitUnknown, fmt.Errorf("write the output: %w", err))
					return exitError(exitUnknown)
				}
				printed = r.text
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

// statusResult is the result of one request.
type statusResult struct {
	text string // for people
	body []byte // the explanation as it was received; nil when the request failed
	code int    // exit code
}

// print prints a result. With asJSON, standard output gets nothing but JSON.
func (r statusResult) print(std streams, asJSON bool) (err error) {
	switch {
	case !asJSON:
		_, err = fmt.Fprintln(std.stdout, r.text)
	case r.body == nil:
		_, err = fmt.Fprintln(std.stderr, "signal-sidecar:", r.text)
	default:
		_, err = fmt.Fprintln(std.stdout, string(r.body))
	}
	return err
}

// self requests /health once and prints the reply.
func (c *statusClient) self(ctx context.Context, std streams) error {
	body, err := c.get(ctx, healthPath)
	if err != nil {
		fmt.Fprintln(std.stdout, c.unknown(healthPath, err).text)
		return exitError(exitDown)
	}
	fmt.Fprintln(std.stdout, health.EscapeLine(string(body)))
	return nil
}

// request gets the explanation once.
func (c *statusClient) request(ctx context.Context) statusResult {
	body, err := c.get(ctx, "/signal/explain")
	var e rest.Explanation
	if err == nil {
		if json.Unmarshal(body, &e) != nil {
			err = foreignError(fmt.Sprintf("it begins with %.40q", body[:min(len(body), 40)]))
		}
	}
	switch refused := codeError(0); {
	case errors.As(err, &refused) && refused.access():
		return c.withoutReasons(ctx, refused)
	case err != nil:
	case e.State == health.StateNone:
		return statusResult{inWords(e), body, exitUnknown}
	case e.State == health.StateDown:
		return statusResult{inWords(e), body, exitDown}
	case slices.Contains(health.Statuses, health.Status(e.State)):
		return statusResult{inWords(e), body, exitUp}
	default:
		err = foreignError(fmt.Sprintf("its state is %.40q", e.State))
	}
	return c.unknown("/signal/explain", err)
}

// inWords returns the explanation as text for people. Another program may have sent it, so its texts must not add
// lines.
func inWords(e rest.Explanation) string {
	var b strings.Builder
	if e.State == health.StateNone {
		return "unknown: no verdict yet"
	}
	fmt.Fprint(&b, health.EscapeLine(e.AgentMessage))
	fmt.Fprintln(&b)
	writeMitigation(&b, e)
	for _, r := range e.Reasons {
		fmt.Fprintf(&b, "  because  %s, since %s  [%s]\n",
			health.EscapeLine(r.Text), clock(r.Since), health.EscapeLine(string(r.Code)))
	}
	for _, t := range e.Tolerated {
		fmt.Fprintf(&b, "  tolerated  %s, since %s, until %s\n",
			health.EscapeLine(t.Text), clock(t.Since), clock(t.Until))
	}
	if n := e.Next; n != nil {
		fmt.Fprintf(&b, "  becomes  %s at %s, if nothing changes\n", health.EscapeLine(n.AgentMessage), clock(n.At))
	}
	writeConsul(&b, e)
	if e.Incident != "" {
		fmt.Fprintf(&b, "  incident %s\n", health.EscapeLine(e.Incident))
	}
	return strings.TrimSuffix(b.String(), "\n")
}

// writeMitigation writes why the state is not what was observed, and until when.
func writeMitigation(b *strings.Builder, e rest.Explanation) {
	if !e.Damped || e.Next == nil || len(e.Reasons) == 0 {
		return
	}
	root, until := e.Reasons[0], time.Time(e.Next.At).UTC().Format("15:04:05Z")
	service, _, _ := strings.Cut(string(root.Code), "_")
	switch e.State {
	case health.StateDown:
		fmt.Fprintf(b, "  damped   healthy since %s: counts as up at %s (HEALTH_DAMPENING_INTERVAL)\n",
			time.Time(root.Since).UTC().Format("15:04:05Z"), until)
	case string(health.StatusDrain):
		fmt.Fprintf(b, "  grace    %s failing: drains until %s (DRAIN_GRACE_INTERVAL)\n", health.EscapeLine(service), until)
	default:
		fmt.Fprintf(b, "  grace    %s failing: counts as down from %s (DRAIN_GRACE_INTERVAL)\n",
			health.EscapeLine(service), until)
	}
}

// writeConsul writes the wanted state in Consul, and what fails there.
func writeConsul(b *strings.Builder, e rest.Explanation) {
	if c := e.Consul; c != nil {
		wanted := "not known"
		if c.Value != nil {
			wanted = health.EscapeLine(*c.Value)
		}
		fmt.Fprintf(b, "  wanted   %s, by %s in Consul", wanted, health.EscapeLine(c.Key))
		if c.Changed != nil {
			fmt.Fprintf(b, " since %s", clock(*c.Changed))
		}
		if c.Differs {
			fmt.Fprint(b, "  (the status file differs)")
		}
		fmt.Fprintln(b)
		if c.Problem != "" {
			fmt.Fprintf(b, "  failing  wanted state from Consul: %s\n", health.EscapeLine(c.Problem))
		}
	}
	if r := e.ConsulReports; r != nil && r.Problem != "" {
		fmt.Fprintf(b, "  failing  report to Consul: %s\n", health.EscapeLine(r.Problem))
	}
}

func clock(t health.Time) string { return time.Time(t).UTC().Format("2006-01-02 15:04:05Z") }

// pause waits for d. It returns false if ctx ended first.
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
