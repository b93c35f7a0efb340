package e2e

import (
	"encoding/json"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/signal-sidecar/signal-sidecar/testbed"
)

// nomadJob holds the fields of a job in Nomad's API that the test checks.
type nomadJob struct {
	Type       string
	TaskGroups []struct {
		Networks []struct {
			Mode         string
			DynamicPorts []struct{ Label string }
		}
		Services []struct {
			Name   string
			Meta   map[string]string
			Checks []struct {
				Path              string
				Interval, Timeout time.Duration
			}
		}
		Tasks []struct {
			Driver, User string
			Config       struct {
				Image       string
				NetworkMode string `json:"network_mode"`
				Ports       []string
				Volumes     []string
				Mount       []struct{ Type, Source, Target string }
				CapDrop     []string `json:"cap_drop"`
			}
			Env       map[string]string
			Resources struct{ CPU, MemoryMB, MemoryMaxMB int }
		}
	}
}

const nomadFile = "../deploy/nomad/signal-sidecar.nomad.hcl"

var nomadVariables = []string{`datacenters=["dc1"]`, "environment=prod", "domain=meet.example.com",
	"image=registry.example.com/signal-sidecar:1.0.0"}

// TestNomadJob parses the job with Nomad's parser, and starts the sidecar's check-config with the environment of the
// job.
func TestNomadJob(t *testing.T) {
	t.Parallel()
	path := tool(t, "E2E_NOMADJOB")
	var job nomadJob
	testbed.Must(t,
		json.Unmarshal([]byte(output(t, exec.Command(path, append([]string{nomadFile}, nomadVariables...)...))), &job))
	group := job.TaskGroups[0]
	service, task := group.Services[0], group.Tasks[0]

	for _, key := range []string{"environment", "domain", "shard", "shard_id", "release_number",
		"signal_sidecar_agent_port", "signal_sidecar_http_ip", "signal_sidecar_http_port", "http_backend_port"} {
		if service.Meta[key] == "" {
			t.Errorf("service %s has no meta %s", service.Name, key)
		}
	}
	if c := service.Checks[0]; service.Name != "signal" || c.Path != "/health" || c.Interval != 10*time.Second ||
		c.Timeout != 2*time.Second {
		t.Errorf("service %s is checked so: %+v", service.Name, c)
	}
	if r := task.Resources; r.CPU > 100 || r.MemoryMB > r.MemoryMaxMB || r.MemoryMaxMB > 300 ||
		task.User != "65532:65532" {
		t.Errorf("the task takes %+v as %s", r, task.User)
	}
	c := task.Config
	if task.Driver != "docker" || c.Image != "registry.example.com/signal-sidecar:1.0.0" || c.NetworkMode != "host" ||
		group.Networks[0].Mode != "host" || !slices.Equal(c.CapDrop, []string{"ALL"}) {
		t.Errorf("the task runs in %s with %+v", task.Driver, c)
	}
	for i, port := range group.Networks[0].DynamicPorts {
		if c.Ports[i] != port.Label {
			t.Errorf("the task has the ports %q, not %s", c.Ports, port.Label)
		}
	}
	if !slices.Equal(c.Volumes, []string{filepath.Dir(task.Env["STATUS_PATH"]) + ":/etc/jitsi"}) || len(c.Mount) != 1 ||
		c.Mount[0].Type != "volume" || c.Mount[0].Target != "/var/lib/signal-sidecar" {
		t.Errorf("the task mounts %q and %+v", c.Volumes, c.Mount)
	}

	// Nomad replaces these variables.
	known := strings.NewReplacer("${NOMAD_PORT_http}", "20001", "${NOMAD_PORT_agent}", "20002", "${meta.shard}", "prod-1")
	settings := vars{}
	for name, value := range task.Env {
		settings[name] = known.Replace(value)
		if strings.Contains(settings[name], "${") {
			t.Errorf("nobody fills in %s=%s", name, value)
		}
	}
	check := exec.Command(testbed.Binary(t), "check-config")
	check.Dir, check.Env = t.TempDir(), settings.Environ()
	effective := output(t, check)
	for name := range task.Env {
		if settings[name] != "" && !strings.Contains(effective, name+" ") {
			t.Errorf("the sidecar knows no %s:\n%s", name, effective)
		}
	}
	if strings.Contains(effective, "notice:") {
		t.Errorf("the sidecar has something to say:\n%s", effective)
	}
}

// TestNomadJobCensus checks that the census is that of the shards' domain, unless the variable names another one.
func TestNomadJobCensus(t *testing.T) {
	t.Parallel()
	for want, more := range map[string][]string{
		"meet.example.org": {"domain=meet.example.org"}, "prosody.example.com": {"census_host=prosody.example.com"},
	} {
		var job nomadJob
		command := exec.Command(tool(t, "E2E_NOMADJOB"), slices.Concat([]string{nomadFile}, nomadVariables, more)...)
		testbed.Must(t, json.Unmarshal([]byte(output(t, command)), &job))
		if got := job.TaskGroups[0].Tasks[0].Env["CENSUS_HOST"]; got != want {
			t.Errorf("%q: the census of %s", more, got)
		}
	}
}

// TestNomadJobWants checks that the error names the missing variables.
func TestNomadJobWants(t *testing.T) {
	t.Parallel()
	out, err := exec.Command(tool(t, "E2E_NOMADJOB"), nomadFile, "environment=prod").CombinedOutput()
	if err == nil || !strings.Contains(string(out), "domain") || !strings.Contains(string(out), "datacenters") ||
		!strings.Contains(string(out), "image") {
		t.Errorf("without domain, datacenters and image: %v\n%s", err, out)
	}
}
