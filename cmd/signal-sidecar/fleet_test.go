package main_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/signal-sidecar/signal-sidecar/signalnode"
	"github.com/signal-sidecar/signal-sidecar/testbed"
)

// startConsul serves a Consul, and returns its contents and the variables with its address.
func startConsul(t *testing.T, datacenters ...string) (*signalnode.Consul, vars) {
	t.Helper()
	c := signalnode.NewConsul(datacenters...)
	server := httptest.NewServer(c)
	t.Cleanup(server.Close)
	t.Cleanup(server.CloseClientConnections) // Close waits for queries
	return c, vars{"CONSUL_HTTP_ADDR": server.URL}
}

// shardReport returns the report of a shard whose reply to the agent check is line.
func shardReport(age time.Duration, line string, participants int) string {
	words := strings.Fields(line)
	return fmt.Sprintf(`{"time":%q,"healthy":%t,"healthdamped":false,"status":%q,"weight":%q,"agentmessage":%q,`+
		`"services":{"jicofoHealthy":%[2]t,"jicofoStatusCode":500,"jicofoStatusContents":"No bridges","prosodyHealthy":true},`+
		`"statuses":{"statusFileFound":true,"statusFileContents":%[3]q},"stats":{"jicofoParticipants":%[6]d}}`,
		time.Now().Add(-age).UTC().Format(time.RFC3339Nano), words[0] == "up", words[1], words[2], line, participants)
}

// TestFleetTable prints a fleet with a shard of each kind, and compares the whole table.
func TestFleetTable(t *testing.T) {
	t.Parallel()
	testbed.Binary(t) // it may take long to build; the reports must not become stale meanwhile
	consul, v := startConsul(t)
	d := consul.Datacenter("")
	add := func(shard, wanted, report string) {
		if wanted != "" {
			d.Put("shard-states/prod/"+shard, wanted)
		}
		if report != "" {
			d.Put("signal-report/prod/"+shard, report)
		}
		d.Register(signalnode.Instance{Service: "signal", ID: shard, Meta: map[string]string{
			"environment": "prod", "shard": shard, "release_number": "4711",
		}})
	}
	add("shard1", "ready", shardReport(10*time.Second, "up ready 100%", 120))
	add("shard2", "drain", shardReport(10*time.Second, "up drain 0%", 3))
	add("shard3", "ready", shardReport(10*time.Second, "down ready 100%", 0))
	add("shard4", "drain", "")
	add("shard5", "ready", shardReport(5*time.Minute, "up ready 100%", 1))
	add("shard6", "ready", "<html>")
	add("evil\x1b[2J", "\u009b2Jdrain", "")
	d.Put("shard-audit/prod/shard2", `{"state":"drain","by":"alice@ops1","at":"2026-01-02T03:04:05Z","reason":"new kernel"}`)
	add("a-name-that-is-much-too-long-for-a-table-of-one-hundred-columns", "ready",
		shardReport(10*time.Second, "up ready 100%", 120))

	r := run(t, v, "fleet")
	const want = `SHARD                                       STATE  WEIGHT  USERS  WANTED        RELEASE  AGE  MARKS
shard3                                      down   -       0      ready         4711     10s
    jicofo_unhealthy: jicofo answered 500: No bridges
shard6                                      none   -       -      ready         4711     -    broken
    the value "<html>" is no report: invalid character '<' looking for beginning of value
shard5                                      ready  100%    1      ready         4711     5m   stale
"evil\x1b[2J"                               none   -       -      "\u00…drain"  4711     -    silent
shard4                                      none   -       -      drain         4711     -    silent
shard2                                      drain  0%      3      drain         4711     10s
    drain by alice@ops1 at 2026-01-02 03:04:05Z: new kernel
a-name-that-is-much-…f-one-hundred-columns  ready  100%    120    ready         4711     10s
shard1                                      ready  100%    120    ready         4711     10s
8 shards: 3 ready, 1 drain, 1 down, 3 none; 1 broken, 1 stale, 2 silent
`
	got := regexp.MustCompile(`(?m)\d+s$`).ReplaceAllString(r.stdout, "10s")
	if got != want || r.code != 0 || r.stderr != "" {
		t.Errorf("exit %d, %s\n%s", r.code, r.stderr, got)
	}
	for line := range strings.Lines(r.stdout) {
		if utf8.RuneCountInString(line) > 101 {
			t.Errorf("too wide: %s", line)
		}
	}
	r = run(t, v, "fleet", "--unhealthy")
	if regexp.MustCompile("shard[12]").MatchString(r.stdout) || !strings.Contains(r.stdout, "shard3") {
		t.Errorf("--unhealthy:\n%s", r.stdout)
	}
	r = run(t, v, "fleet", "--environment", "test")
	if r.stdout != "0 shards\n" || r.code != 0 {
		t.Errorf("--environment test:\n%s", r.stdout)
	}
}

// fleetOutput is the output of fleet --json, as far as tests use it.
type fleetOutput struct {
	Shards []struct {
		Datacenter, Environment, Shard, State, Wanted, Reason string
		Marks                                                 []string
		HAProxy                                               []struct{ State, Status string }
	}
	Problems []string
}

func parseFleet(t *testing.T, text string) (f fleetOutput) {
	t.Helper()
	if err := json.Unmarshal([]byte(text), &f); err != nil {
		t.Fatalf("%v: %s", err, text)
	}
	return f
}

// TestFleetDatacenters reads all datacenters, and names the one that is missing and the Consul that is gone.
func TestFleetDatacenters(t *testing.T) {
	t.Parallel()
	consul, v := startConsul(t, "east", "west")
	for _, dc := range []string{"east", "west"} {
		consul.Datacenter(dc).Put("shard-states/prod/"+dc+"1", "ready")
	}
	f := parseFleet(t, run(t, v, "fleet", "--datacenter", "all", "--json").stdout)
	if len(f.Shards) != 2 || f.Shards[0].Datacenter != "east" || f.Shards[1].Shard != "west1" {
		t.Errorf("%+v", f)
	}
	if r := run(t, v, "fleet", "--datacenter", "all"); !strings.Contains(r.stdout, "\nwest/west1 ") {
		t.Errorf("%s", r.stdout)
	}
	r := run(t, v, "fleet", "--datacenter", "north")
	if r.code != 1 ||
		!strings.Contains(r.stderr, " of datacenter north: Consul at "+v["CONSUL_HTTP_ADDR"]+" answered 500: No path") {
		t.Errorf("exit %d, %s%s", r.code, r.stdout, r.stderr)
	}
	gone := vars{"CONSUL_HTTP_ADDR": "http://127.0.0.1:" + testbed.LastingPort(t), "CONSUL_HTTP_TOKEN": "secret"}
	r = run(t, gone, "fleet", "--json")
	f = parseFleet(t, r.stdout)
	if r.code != 1 || len(f.Problems) != 1 ||
		!strings.Contains(r.stderr, ": Consul does not accept connections at 127.0.0.1:") {
		t.Errorf("exit %d, %s%s", r.code, r.stdout, r.stderr)
	}
}

// TestFleetUsage checks that bad flags are named, all at once and without secrets.
func TestFleetUsage(t *testing.T) {
	t.Parallel()
	for args, want := range map[string][]string{
		"fleet --check-time=x --haproxy=ftp://u:secret@a --haproxy-server-pattern=( --environment=a/b": {
			`--environment="a/b"`, `--check-time="x"`, `--haproxy-server-pattern="("`, `--haproxy="ftp://xxxxx@a"`,
		},
		"fleet --haproxy-ca-file=/does/not/exist":             {`--haproxy-ca-file="/does/not/exist"`},
		"fleet --haproxy-server-pattern=^a$":                  {"a regular expression with a group"},
		"drain --wait=reported --reason=x --force":            {`--reason="x"`, `--wait="reported"`, `--force="true"`},
		"drain --datacenter=west --haproxy=http://u:secret@a": {`--datacenter="west" (flag): must be used with a SHARD`, `--haproxy="http://xxxxx@a"`},
		"drain s1 --wait=soon":                                {`--wait="soon" (flag): must be reported, haproxy or empty`},
		"drain s1 --wait=haproxy --timeout=x":                 {"at least one --haproxy", `--timeout="x"`},
		"ready s1 --wait=empty --haproxy=unix:/a":             {"a ready shard does not become empty"},
		"maint s1 --timeout=3 --datacenter=all":               {"used with --wait", `--datacenter="all"`},
		"drain s1 --reason=" + strings.Repeat("x", 201):       {"one line of at most 200 characters"},
		"fleet s1": {"unexpected argument s1"},
	} {
		r := run(t, nil, strings.Fields(args)...)
		if r.code != 2 || len(r.problems()) != len(want) || strings.Contains(r.stderr, "secret") {
			t.Errorf("%s: exit %d, %s", args, r.code, r.stderr)
		}
		for _, w := range want {
			if !strings.Contains(r.stderr, w) {
				t.Errorf("%s: no %s in %s", args, w, r.stderr)
			}
		}
	}
}

// TestFleetHAProxy compares what HAProxys believe: the row is marked and the exit code is 1 only if a disagreement
// lasts.
func TestFleetHAProxy(t *testing.T) {
	t.Parallel()
	consul, v := startConsul(t)
	d := consul.Datacenter("")
	for _, s := range []string{"s1", "s2"} {
		d.Put("shard-states/prod/"+s, "ready")
		d.Put("signal-report/prod/"+s, shardReport(0, "up ready 100%", 1))
	}
	var samples atomic.Int64
	lb := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		status := "DRAIN"
		if r.URL.Path == "/settles" && samples.Add(1) > 2 {
			status = "UP"
		}
		fmt.Fprintf(w, "# pxname,svname,scur,status,weight,type,\nb,x-s1,1,%s,256,2,\nb,x-s2,7,no check,256,2,\n", status)
	}))
	t.Cleanup(lb.Close)
	flags := []string{"fleet", "--haproxy-server-pattern", "^x-(.*)$", "--check-time", "0.3", "--haproxy"}
	r := run(t, v, append(flags, lb.URL+"/settles")...)
	if r.code != 0 || samples.Load() < 3 ||
		strings.Contains(r.stdout, "disagree") || !strings.Contains(r.stdout, " UP 256 7\n") {
		t.Errorf("a disagreement that ended: exit %d after %d samples\n%s%s", r.code, samples.Load(), r.stdout, r.stderr)
	}
	r = run(t, v, append(flags, lb.URL+"/lasts")...)
	if r.code != 1 || !strings.HasSuffix(r.stdout, "2 shards: 2 ready; 1 disagree\n") ||
		!strings.Contains(r.stdout, `    the agent line is "up ready 100%", `+strings.TrimPrefix(lb.URL, "http://")+" has b/x-s1 DRAIN\n") {
		t.Errorf("a disagreement: exit %d\n%s%s", r.code, r.stdout, r.stderr)
	}
	r = run(t, v, append(flags, "http://u:secret@127.0.0.1:"+testbed.LastingPort(t)+"/;csv")...)
	if r.code != 1 || !strings.Contains(r.stderr, "read the statistics: HAProxy does not accept connections at 127.0.0.1:") ||
		strings.Contains(r.stderr, "secret") || !strings.Contains(r.stdout, "2 shards: 2 ready\n") {
		t.Errorf("no HAProxy: exit %d\n%s%s", r.code, r.stdout, r.stderr)
	}
}

// startCommand starts the binary in an empty folder.
func startCommand(t *testing.T, v vars, args ...string) *testbed.Process {
	t.Helper()
	cmd := exec.Command(testbed.Binary(t), args...)
	cmd.Dir, cmd.Env = t.TempDir(), v.Environ()
	return testbed.Start(t, cmd)
}

// TestFleetWatch follows a fleet into a pipe, and ends with an interrupt.
func TestFleetWatch(t *testing.T) {
	t.Parallel()
	consul, v := startConsul(t)
	d := consul.Datacenter("")
	d.Put("shard-states/prod/s1", "ready")
	p := startCommand(t, v, "fleet", "--watch", "--json")
	shows := func(want string) {
		t.Helper()
		testbed.Eventually(t, "the state "+want, bound, func() bool {
			lines := strings.Split(strings.TrimSpace(p.Stdout()), "\n")
			last := lines[len(lines)-1]
			return strings.HasPrefix(last, "{") && strings.HasSuffix(last, "}") &&
				parseFleet(t, last).Shards[0].Wanted == want
		})
	}
	shows("ready")
	d.Put("shard-states/prod/s1", "drain")
	shows("drain")
	if code, _ := p.Stop(t, os.Interrupt); code != 0 {
		t.Errorf("exit %d, %s", code, p.Stderr())
	}
}

// TestChangeCommands drains, readies and maintains shards, and checks what is printed and written.
func TestChangeCommands(t *testing.T) {
	t.Parallel()
	consul, v := startConsul(t)
	d := consul.Datacenter("")
	for _, s := range []string{"s1", "s2"} {
		d.Put("shard-states/prod/"+s, "ready")
	}
	d.Put("shard-states/prod/s3", "drain")
	d.Put("signal-report/prod/s3", shardReport(0, "up ready 100%", 1)) // its status file was edited
	v = v.With(vars{"SUDO_USER": "alice"})
	host, _ := os.Hostname()
	for _, c := range []struct {
		args   string
		code   int
		output string // matches standard output, or standard error for another code than 0
	}{
		{"drain s1 --reason kernel", 0, `^s1: drain \(was ready\)\n$`},
		{"drain s1", 0, `^s1: drain already: drain by alice@` + regexp.QuoteMeta(host) + ` at \S+ \S+Z: kernel\n$`},
		{"drain s3", 0, `^s3: drain already, but it reports ready\n$`},
		{"drain s2", 1, `refused: environment prod would have no ready shard without s2; --force does it\n$`},
		{"maint s2 --force", 0, `^s2: maint \(was ready\)\n$`},
		{"ready s1 s2", 0, `^s1: ready \(was drain\)\ns2: ready \(was maint\)\n$`},
		{"drain s1 s9 s8", 1, `shard s9 is unknown: .*\n.*shard s8 is unknown: Consul at http://127.0.0.1:\d+ has neither`},
		{"drain s9 --force --environment prod", 0, `^s9: drain\n$`},
		{"drain s1 --wait reported --timeout 0.1", 3, `waited in vain for reported\n.*s1: no report\n$`},
	} {
		r := run(t, v, strings.Fields(c.args)...)
		text := r.stdout
		if c.code != 0 {
			text = r.stderr
		}
		if r.code != c.code || !regexp.MustCompile(c.output).MatchString(text) {
			t.Errorf("%s: exit %d\n%s%s", c.args, r.code, r.stdout, r.stderr)
		}
	}
	if value, _ := d.Get("shard-states/prod/s9"); value != "drain" {
		t.Errorf("s9 is %q", value)
	}
	r := run(t, v, strings.Fields("ready s1 --wait haproxy --haproxy unix:/nonexistent --timeout 1.2")...) // some four reads
	if n := len(regexp.MustCompile(`(?m)^\S+Z .*/nonexistent`).FindAllString(r.stderr, -1)); r.code != 3 || n != 1 {
		t.Errorf("exit %d, %d lines about the HAProxy before the end:\n%s", r.code, n, r.stderr)
	}
	p := startCommand(t, v, "maint", "s1", "--wait", "reported")
	testbed.Eventually(t, "the change", bound, func() bool {
		value, _ := d.Get("shard-states/prod/s1")
		return value == "maint"
	})
	d.Put("signal-report/prod/s1", shardReport(0, "up maint 0%", 1))
	testbed.Eventually(t, "the end", bound, p.Ended)
	if out := p.Stdout(); !strings.HasPrefix(out, "s1: maint (was ready)\nreported after ") {
		t.Errorf("%s%s", out, p.Stderr())
	}
}

// TestLocalState changes the status file of a running sidecar. The settings of Consul are not read: Kubernetes may have
// set CONSUL_PORT.
func TestLocalState(t *testing.T) {
	t.Parallel()
	s := startShard(t, testbed.Quick)
	v := vars{"STATUS_PATH": s.StatusPath, "CONSUL_PORT": "tcp://10.96.0.10:8500"}
	for _, step := range []struct{ command, output, line string }{
		{"drain", "drain (was ready)", "up drain 0%"},
		{"drain", "drain already", "up drain 0%"},
		{"maint", "maint (was drain)", "up maint 0%"},
		{"ready", "ready (was maint)", "up ready 100%"},
	} {
		if r := run(t, v, step.command); r.code != 0 || r.stdout != s.StatusPath+": "+step.output+"\n" {
			t.Errorf("%s: exit %d, %s%s", step.command, r.code, r.stdout, r.stderr)
		}
		s.Becomes(t, step.line)
	}
	missing := filepath.Join(t.TempDir(), "no", "file")
	r := run(t, vars{"STATUS_PATH": missing}, "drain")
	if r.code != 1 || !strings.Contains(r.stderr, "(STATUS_PATH="+missing+")") {
		t.Errorf("exit %d, %s", r.code, r.stderr)
	}
}

// TestShardCompletion completes the names of shards from Consul in each shell, and never a name that a shell would
// interpret.
func TestShardCompletion(t *testing.T) {
	t.Parallel()
	consul, v := startConsul(t)
	d := consul.Datacenter("")
	folder := t.TempDir()
	for _, s := range []string{
		"prod-a", "prod-b", "$(touch " + folder + "/evil)", "prod;touch evil", "`touch evil`", "-prod",
	} {
		d.Put("shard-states/prod/"+s, "ready")
	}
	testbed.Must(t, os.Symlink(testbed.Binary(t), filepath.Join(folder, "signal-sidecar")))
	v = v.With(vars{"PATH": folder + ":" + os.Getenv("PATH"), "HOME": folder})
	bash := completionScript(t, "bash", "signal-sidecar")
	fish := completionScript(t, "fish", "signal-sidecar.fish")
	zsh := completionScript(t, "zsh", "_signal-sidecar")
	for shell, args := range map[string][]string{
		"bash": {"-c", `source "$1"; COMP_WORDS=(signal-sidecar drain prod) COMP_CWORD=2; _signal_sidecar; ` +
			`printf '%s\n' "${COMPREPLY[@]}"`, "bash", bash},
		"fish": {"--no-config", "-c", "source $argv[1]; complete -C 'signal-sidecar drain prod'", fish},
		"zsh": {"-f", "-c", `compdef() {}; compadd() { print -l -- "${(P@)2}"; }; source "$1"; _signal_sidecar_shards`,
			"zsh", zsh},
	} {
		r := runCommand(t, folder, v, testbed.Component(t, shell), args...)
		if got := strings.Fields(strings.ReplaceAll(r.stdout, "\tSHARD", "")); strings.Join(got, " ") != "prod-a prod-b" {
			t.Errorf("%s: %q, %s", shell, r.stdout, r.stderr)
		}
	}
	if _, err := os.Stat(filepath.Join(folder, "evil")); err == nil {
		t.Error("a name was executed")
	}
	if r := run(t, vars{"CONSUL_HTTP_ADDR": "127.0.0.1:" + testbed.LastingPort(t)}, "shards"); r.stdout+r.stderr != "" {
		t.Errorf("without Consul: %s%s", r.stdout, r.stderr)
	}
}

// TestFleetRealHAProxy reads the statistics of a real HAProxy from its socket and over HTTP with a password. One server
// was drained by hand.
func TestFleetRealHAProxy(t *testing.T) {
	t.Parallel()
	consul, v := startConsul(t)
	d := consul.Datacenter("")
	var agents []agentOf
	for _, name := range []string{"first", "second", "third"} {
		s := startShard(t, testbed.Quick)
		if name == "third" {
			s.Say(t, "drain")
		}
		agents = append(agents, agentOf{name, strings.TrimPrefix(s.Prosody.Origin(), "http://"), s.Agent, "", ""})
	}
	statistics := testbed.LastingAddress(t)
	h := startHAProxyWith(t, haproxyOptions{metrics: statistics}, agents...)
	h.expect(t, "first", "UP", "100")
	h.expect(t, "third", "DRAIN (agent)", "0")
	for name, line := range map[string]string{
		"first": "up ready 100%", "second": "up ready 100%", "third": "up drain 0%",
	} {
		d.Put("shard-states/prod/"+name, strings.Fields(line)[1])
		d.Put("signal-report/prod/"+name, shardReport(0, line, 1))
	}
	flags := []string{
		"fleet", "--json", "--check-time", "0.3",
		"--haproxy", "unix:" + h.stats, "--haproxy", "http://stats:secret@" + statistics + "/stats;csv",
	}
	r := run(t, v, flags...)
	f := parseFleet(t, r.stdout)
	if r.code != 0 || len(f.Shards) != 3 || len(f.Shards[0].HAProxy) != 4 || len(f.Problems) != 0 {
		t.Errorf("exit %d, %s%s", r.code, r.stdout, r.stderr)
	}
	for _, command := range []string{"disable agent checked/second", "set server checked/second state drain"} {
		if answer, err := h.ask(command); err != nil || strings.TrimSpace(answer) != "" {
			t.Fatalf("%s: %s, %v", command, answer, err)
		}
	}
	r = run(t, v, flags...)
	f = parseFleet(t, r.stdout)
	if first := f.Shards[0]; r.code != 1 || first.Shard != "second" || !slices.Contains(first.Marks, "disagree") ||
		len(f.Shards[1].Marks)+len(f.Shards[2].Marks) > 0 {
		t.Errorf("exit %d, %s%s", r.code, r.stdout, r.stderr)
	}
	r = run(t, v, "fleet", "--haproxy", "http://stats:wrong@"+statistics+"/stats;csv")
	if r.code != 1 || !strings.Contains(r.stderr, "http://"+statistics+"/stats;csv answered 401") {
		t.Errorf("a wrong password: exit %d, %s", r.code, r.stderr)
	}
	r = run(t, v, "fleet", "--haproxy", "http://stats:secret@"+statistics+"/stats")
	if r.code != 1 || !strings.Contains(r.stderr, "the answer is HTML") {
		t.Errorf("the page: exit %d, %s", r.code, r.stderr)
	}
}

// TestUpdateOfShard drains a shard that has users until it is empty, and puts it into service again. The sidecars and
// HAProxy are real.
func TestUpdateOfShard(t *testing.T) {
	t.Parallel()
	testbed.Component(t, "haproxy")
	consul, v := startConsul(t)
	d := consul.Datacenter("")
	var agents []agentOf
	shards := map[string]*shard{}
	for _, name := range []string{"first", "second"} {
		d.Put("shard-states/prod/"+name, "ready")
		s := startShard(t, v.With(vars{
			"CONSUL_STATUS": "true", "CONSUL_STATUS_KEY": "shard-states/prod/" + name,
			"CONSUL_REPORTS": "true", "CONSUL_REPORT_KEY": "signal-report/prod/" + name, "CONSUL_REPORTS_INTERVAL": "0.5",
		}))
		s.SetLoad(3, 1)
		shards[name] = s
		agents = append(agents, agentOf{name, strings.TrimPrefix(s.Prosody.Origin(), "http://"), s.Agent, "", ""})
	}
	h := startHAProxy(t, agents...)
	haproxy := "unix:" + h.stats
	r := run(t, v, "drain", "first", "--wait", "haproxy", "--haproxy", haproxy, "--timeout", "20")
	if status := h.view.of("checked/first").status; r.code != 0 || !strings.HasPrefix(status, "DRAIN") {
		t.Errorf("drain: exit %d, %s, %s%s", r.code, status, r.stdout, r.stderr)
	}
	p := startCommand(t, v, "drain", "first", "--wait", "empty", "--haproxy", haproxy)
	r = run(t, v, "drain", "first", "--wait", "empty", "--haproxy", haproxy, "--timeout", "2")
	if r.code != 3 || !strings.Contains(r.stderr, "shown by 1 of 1 HAProxys, 3 participants") || p.Ended() {
		t.Errorf("with users: exit %d, %s%s", r.code, r.stdout, r.stderr)
	}
	shards["first"].SetLoad(0, 0)
	testbed.Eventually(t, "the end of the wait", bound, p.Ended)
	if code := p.Exit(t); code != 0 {
		t.Errorf("empty: exit %d, %s", code, p.Stderr())
	}
	r = run(t, v, "ready", "first", "--wait", "haproxy", "--haproxy", haproxy, "--timeout", "20")
	if status := h.view.of("checked/first").status; r.code != 0 || status != "UP" {
		t.Errorf("ready: exit %d, %s, %s%s", r.code, status, r.stdout, r.stderr)
	}
	if r := run(t, v, "fleet", "--haproxy", haproxy); r.code != 0 || !strings.HasSuffix(r.stdout, "2 shards: 2 ready\n") {
		t.Errorf("fleet: exit %d\n%s%s", r.code, r.stdout, r.stderr)
	}
}
