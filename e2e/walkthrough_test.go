package e2e

import (
	"context"
	"fmt"
	"maps"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/compose-spec/compose-go/v2/cli"
	"github.com/compose-spec/compose-go/v2/types"

	"github.com/signal-sidecar/signal-sidecar/testbed"
)

// stack is the stack of docker-compose.yml without containers: the same programs with the same files and the same
// environment, on loopback. Each shard has an address of its own, 127.0.0.1 to 127.0.0.3, with the same ports.
type stack struct {
	project  *types.Project
	ports    map[string]string // the port used here, by the port in the container
	places   map[string]string // host:port used here, by the port that compose publishes
	statuses string            // the folder of the status files
	consul   string            // the URL of Consul
	sidecars map[string]vars   // the environment of each sidecar, by service
	running  map[string]*testbed.Process
}

// inContainers are the ports in the containers that tests replace by free ones.
var inContainers = []string{"5280", "8888", "8899", "6000", "6001", "6060", "6061", "8080", "8404"}

func startStack(t *testing.T) *stack {
	t.Helper()
	s := &stack{
		project: loadProject(t), ports: map[string]string{}, places: map[string]string{}, statuses: t.TempDir(),
		sidecars: map[string]vars{}, running: map[string]*testbed.Process{},
	}
	for _, port := range inContainers {
		s.ports[port] = testbed.LastingPort(t)
	}
	s.startConsul(t)
	j := startJaeger(t)
	traces := startCollector(t, j.otlp, "--config", collectorConfig)
	s.places["16686"] = strings.TrimPrefix(j.api, "http://")
	for _, n := range []string{"1", "2", "3"} {
		s.startShard(t, n, traces)
	}
	s.startHAProxy(t)
	return s
}

// loadProject reads the compose file with variables in the environment.
func loadProject(t *testing.T, environment ...string) *types.Project {
	t.Helper()
	o, err := cli.NewProjectOptions([]string{"../docker-compose.yml"}, cli.WithProfiles([]string{"jitsi"}),
		cli.WithEnv(environment))
	testbed.Must(t, err)
	project, err := o.LoadProject(context.Background())
	testbed.Must(t, err)
	return project
}

// environment returns the environment of a service in the compose file.
func (s *stack) environment(service string) vars {
	all := vars{}
	for name, value := range s.project.Services[service].Environment {
		all[name] = *value
	}
	return all
}

// publish records the address at which each published port of a service is found here. The service's ports are on host.
func (s *stack) publish(service, host string) {
	for _, p := range s.project.Services[service].Ports {
		s.places[p.Published] = host + ":" + s.ports[fmt.Sprint(p.Target)]
	}
}

// startConsul runs the command of the service, as the entrypoint of its image does, and its health check.
func (s *stack) startConsul(t *testing.T) {
	t.Helper()
	port := testbed.LastingPort(t)
	command := s.project.Services["consul"].Command
	arguments := []string{command[0], "-data-dir=" + t.TempDir(), "-config-dir=" + t.TempDir()}
	for _, argument := range command[1:] {
		argument = strings.Replace(argument, "0.0.0.0", "127.0.0.1", 1)
		arguments = append(arguments, strings.Replace(argument, "/etc/consul/", "../deploy/compose/consul/", 1))
	}
	arguments = append(arguments, "-bind=127.0.0.1", "-http-port="+port, "-serf-lan-port="+testbed.LastingPort(t),
		"-serf-wan-port="+testbed.LastingPort(t), "-server-port="+testbed.LastingPort(t), "-grpc-port=-1",
		"-grpc-tls-port=-1", "-dns-port=-1", "-disable-host-node-id")
	cmd := exec.Command(tool(t, "E2E_CONSUL"), arguments...)
	cmd.Env = s.environment("consul").Environ()
	s.running["consul"] = testbed.Start(t, cmd)
	s.consul, s.places["8500"] = "http://127.0.0.1:"+port, "127.0.0.1:"+port
	check := strings.Join(s.project.Services["consul"].HealthCheck.Test, " ")
	leader := s.consul + regexp.MustCompile(`http://127\.0\.0\.1:8500(/\S+)`).FindStringSubmatch(check)[1]
	testbed.Eventually(t, "Consul", bound, func() bool {
		code, _ := testbed.Get(leader)
		return code == http.StatusOK
	})
}

// startShard runs the commands of the services shardN and sidecarN, and their health checks.
func (s *stack) startShard(t *testing.T, n, traces string) {
	t.Helper()
	host := "127.0.0." + n
	at := func(port string) string { return host + ":" + s.ports[port] }
	var arguments []string
	for _, argument := range s.project.Services["shard"+n].Command {
		if port, is := strings.CutPrefix(argument, ":"); is {
			argument = at(port)
		}
		arguments = append(arguments, argument)
	}
	simulate := exec.Command(testbed.Binary(t), append(arguments, "--jicofo-addr", at("8888"))...)
	simulate.Env = vars{}.Environ()
	s.running["shard"+n] = testbed.Start(t, simulate)

	status := filepath.Join(s.statuses, "shard"+n)
	testbed.Must(t, os.WriteFile(status, []byte("drain\n"), 0o600)) // as in the image
	sidecar := exec.Command(testbed.Binary(t))
	sidecar.Dir = t.TempDir()
	s.sidecars["sidecar"+n] = s.environment("sidecar" + n).With(vars{
		"HTTP_ADDR": host, "TCP_ADDR": host, "HTTP_PORT": s.ports["6000"], "PAGE_PORT": s.ports["6001"],
		"TCP_PORT": s.ports["6060"], "TCP_HOLD_PORT": s.ports["6061"],
		"JICOFO_ORIG": "http://" + at("8888"), "PROSODY_ORIG": "http://" + at("5280"),
		"STATUS_PATH": status, "CONSUL_HTTP_ADDR": s.consul,
		"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": traces,
		"OTEL_BSP_SCHEDULE_DELAY":            "100",
		"DRAIN_GRACE_INTERVAL":               "15", "HEALTH_DAMPENING_INTERVAL": "2", // short, for the test
	})
	sidecar.Env = s.sidecars["sidecar"+n].Environ()
	s.running["sidecar"+n] = testbed.Start(t, sidecar)
	s.publish("node"+n, host)
	for _, service := range []string{"shard" + n, "sidecar" + n} {
		testbed.Eventually(t, "the health check of "+service, bound, func() bool {
			return s.healthCheck(t, service, host) == nil
		})
	}
	testbed.Eventually(t, "shard "+n, bound, func() bool {
		code, _ := testbed.Get("http://" + at("6000") + "/signal/health")
		return code == http.StatusOK
	})
}

// healthCheck runs the health check of a service of the product once. The service's ports are on host.
func (s *stack) healthCheck(t *testing.T, service, host string) error {
	t.Helper()
	test := s.project.Services[service].HealthCheck.Test
	arguments := slices.Clone(test[2:]) // without CMD and the path of the program in the image
	for i, argument := range arguments {
		if port, is := strings.CutPrefix(argument, "http://127.0.0.1:"); is {
			arguments[i] = "http://" + host + ":" + s.ports[port]
		}
	}
	check := exec.CommandContext(t.Context(), testbed.Binary(t), arguments...)
	check.Dir, check.Env = t.TempDir(), s.sidecars[service].Environ()
	return check.Run()
}

func (s *stack) startHAProxy(t *testing.T) {
	t.Helper()
	folder, err := os.MkdirTemp("", "haproxy-") // the path of t.TempDir is too long for a socket
	testbed.Must(t, err)
	t.Cleanup(func() { _ = os.RemoveAll(folder) })
	environment := s.environment("haproxy")
	moved := maps.Clone(environment)
	for name, value := range moved { // the value is a port, or ":" and a port, or the name of a shard
		if port, known := s.ports[strings.TrimPrefix(value, ":")]; known {
			moved[name] = strings.Replace(value, strings.TrimPrefix(value, ":"), port, 1)
		}
		if name == "USERS" || name == "METRICS" {
			moved[name] = "127.0.0.1" + moved[name]
		}
		if n, is := strings.CutPrefix(value, "shard"); is && !strings.HasSuffix(name, "_NAME") {
			moved[name] = "127.0.0." + n
		}
	}
	moved["STATS_SOCKET"] = filepath.Join(folder, "stats")
	cmd := exec.Command(testbed.Component(t, "haproxy"), "-db", "-f", "../deploy/haproxy/haproxy.cfg")
	cmd.Env = moved.Environ()
	s.running["haproxy"] = testbed.Start(t, cmd)
	s.publish("haproxy", "127.0.0.1")
}

var (
	walk         = regexp.MustCompile("(?s)\n## Run the whole stack.*?\n## ")
	walkBlock    = regexp.MustCompile("(?s)```sh\n(.*?)```")
	localAddress = regexp.MustCompile(`localhost:(\d+)`)
)

// commands returns the commands of the README's walk-through, in order.
func commands(t *testing.T) (all []string) {
	t.Helper()
	for _, block := range walkBlock.FindAllStringSubmatch(walk.FindString(testbed.Contents("../README.md")), -1) {
		all = append(all, strings.Split(strings.TrimSpace(block[1]), "\n")...)
	}
	return all
}

// here returns a text of the README with the addresses and paths of this stack.
func (s *stack) here(t *testing.T, text string) string {
	t.Helper()
	var environment strings.Builder
	for name, value := range s.sidecars["sidecar1"] {
		fmt.Fprintf(&environment, "%s='%s' ", name, value)
	}
	text = strings.ReplaceAll(text, "docker compose exec sidecar1 signal-sidecar",
		environment.String()+testbed.Binary(t))
	text = strings.ReplaceAll(text, "http://haproxy:8404", "http://"+s.places["8404"])
	return localAddress.ReplaceAllStringFunc(text, func(address string) string {
		_, port, _ := strings.Cut(address, ":")
		if s.places[port] == "" {
			t.Fatalf("nothing is started in the place of %s", address)
		}
		return s.places[port]
	})
}

// says runs commands in one shell until their output contains all of the texts.
func (s *stack) says(t *testing.T, commands string, texts ...string) (out string) {
	t.Helper()
	script := s.here(t, commands)
	defer func() {
		if t.Failed() {
			t.Logf("%s\nsaid %s", script, out)
		}
	}()
	testbed.Eventually(t, fmt.Sprintf("%q to say %q", commands, texts), bound, func() bool {
		// The error is ignored: grep fails until it finds something.
		said, _ := exec.CommandContext(t.Context(), "sh", "-c", script).CombinedOutput()
		out = string(said)
		for _, text := range texts {
			if !strings.Contains(out, text) {
				return false
			}
		}
		return true
	})
	return out
}

// TestWalkThrough runs every command of the README's walk-through with the stack, except those of docker.
func TestWalkThrough(t *testing.T) {
	t.Parallel()
	all := commands(t)
	if len(all) != 13 || !strings.HasPrefix(all[0], "docker compose up") ||
		!strings.HasPrefix(all[12], "docker compose down") {
		t.Fatalf("the README's walk is %q; this test knows another one", all)
	}
	start, visit, breakIt, explain, haproxy := all[1], all[2], all[3], all[4], all[5]
	incident := all[6] + "\n" + all[7]
	heal, drain, table, ready := all[8], all[9], all[10], all[11]

	s := startStack(t)
	metrics, server := haproxy[:strings.Index(haproxy, "|")], `haproxy_server_status{proxy="signal",server="shard1",state=`
	for port := range s.places {
		// Every published port has an address here.
		s.says(t, "curl -s -o /dev/null -w %{http_code} http://localhost:"+port+"/", "")
	}
	s.says(t, start, "shard1: ready", "shard3: ready", "reported after")
	s.says(t, visit, "200 OK", "x-jitsi-shard: shard")
	s.says(t, breakIt, "code 503")
	s.says(t, explain, `"agentmessage":"up drain 0%`, `"code":"jicofo`)
	s.says(t, haproxy, server+`"DRAIN"} 1`)
	s.says(t, explain, `"agentmessage":"down ready 100%`)
	s.says(t, haproxy, server+`"DOWN"} 1`)
	s.says(t, incident, "verdict drain", "verdict down", "probe jicofo_health", `"jitsi.shard"`)
	s.says(t, heal, "healthy")
	s.says(t, explain, `"agentmessage":"up ready 100%"`)
	s.says(t, metrics, server+`"DOWN"} 0`, server+`"DRAIN"} 0`)
	s.says(t, drain, "shard2: drain", "haproxy after")
	out := s.says(t, table, "DRAIN 0 0", ": new kernel", "3 shards: 2 ready, 1 drain\n")
	if strings.Contains(out, "gone") || strings.Contains(out, "disagree") {
		t.Errorf("the fleet is\n%s", out)
	}
	s.says(t, "curl -s http://localhost:6001/fleet", "2 ready, 1 drain", `<a href="http://localhost:6002/"`)
	s.says(t, ready, "shard2: ready (was drain)")
	s.says(t, table, "3 shards: 3 ready\n")

	// The held agent port, as docs/haproxy.md has it.
	s.project = loadProject(t, "AGENT_PORT=6061", "AGENT_INTER=100ms")
	s.ports["8080"], s.ports["8404"] = testbed.LastingPort(t), testbed.LastingPort(t)
	s.startHAProxy(t)
	s.says(t, metrics, server+`"UP"} 1`)
	s.says(t, drain, "shard2: drain", "haproxy after")

	// The profile jitsi: HAProxy knows the real shard by the name that the operator's command has.
	jitsi := realShard.FindStringSubmatch(testbed.Contents("../README.md"))
	if jitsi == nil {
		t.Fatal("the README does not put the shard jitsi into service")
	}
	s.says(t, jitsi[1], "jitsi: ready", "shard2: ready (was drain)", "shard3: ready")
	s.wantMemory(t)
}

// wantMemory checks that no program needed more memory than the compose file allows it.
func (s *stack) wantMemory(t *testing.T) {
	t.Helper()
	for service, process := range s.running {
		peak, limit := process.PeakMemory(t), int(s.project.Services[service].MemLimit)
		t.Logf("%s: %d of %d MiB", service, peak>>20, limit>>20)
		if peak > limit {
			t.Errorf("%s needed %d MiB of memory, and has a limit of %d", service, peak>>20, limit>>20)
		}
	}
}

var realShard = regexp.MustCompile(`(?m)^SHARD1=jitsi docker compose --profile jitsi up --build --wait\n` +
	`(docker compose exec sidecar1 signal-sidecar ready jitsi .*)\n`)

// TestComposeSettings checks that the sidecars know all settings in their environment, and have no notice about them.
func TestComposeSettings(t *testing.T) {
	t.Parallel()
	s := &stack{project: loadProject(t)}
	for _, service := range []string{"sidecar1", "sidecar2", "sidecar3", "sidecar-jitsi"} {
		settings := s.environment(service)
		check := exec.Command(testbed.Binary(t), "check-config")
		check.Dir, check.Env = t.TempDir(), settings.Environ()
		effective := output(t, check)
		for name, value := range settings {
			if !strings.Contains(effective, name+" ") {
				t.Errorf("%s: the sidecar does not know %s=%s", service, name, value)
			}
		}
		if strings.Contains(effective, "notice:") {
			t.Errorf("%s:\n%s", service, effective)
		}
	}
}

// TestWalkThroughNamesWhatIsPublished checks that the compose file publishes every port that the README names in its
// walk-through.
func TestWalkThroughNamesWhatIsPublished(t *testing.T) {
	t.Parallel()
	published := map[string]bool{}
	for _, service := range loadProject(t).Services {
		for _, p := range service.Ports {
			published[p.Published] = true
		}
	}
	named := localAddress.FindAllStringSubmatch(walk.FindString(testbed.Contents("../README.md")), -1)
	if len(named) < 10 {
		t.Fatalf("the README's walk names %q", named)
	}
	for _, m := range named {
		if !published[m[1]] {
			t.Errorf("the README names %s, which nothing publishes", m[0])
		}
	}
}
