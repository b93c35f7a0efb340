// Package containers tests docker-compose.yml and the Dockerfile without a container engine. It reads
// docker-compose.yml with the library of docker compose, and builds the image with buildah.
package containers

import (
	"context"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/compose-spec/compose-go/v2/cli"
	"github.com/compose-spec/compose-go/v2/types"
)

const root = "../.."

// load reads docker-compose.yml as docker compose does.
func load(t *testing.T, profiles ...string) *types.Project {
	t.Helper()
	return loadWith(t, nil, profiles...)
}

// loadWith is load with variables in the environment.
func loadWith(t *testing.T, environment []string, profiles ...string) *types.Project {
	t.Helper()
	project, err := loadFrom(filepath.Join(root, "docker-compose.yml"), environment, profiles...)
	if err != nil {
		t.Fatal(err)
	}
	return project
}

func loadFrom(file string, environment []string, profiles ...string) (*types.Project, error) {
	o, err := cli.NewProjectOptions([]string{file}, cli.WithProfiles(profiles), cli.WithEnv(environment))
	if err != nil {
		return nil, err
	}
	return o.LoadProject(context.Background())
}

var simulated = []string{"consul", "grafana", "haproxy", "jaeger", "node1", "node2", "node3", "otel-collector",
	"prometheus", "shard1", "shard2", "shard3", "sidecar1", "sidecar2", "sidecar3"}

// TestComposeServices checks that the services are those that the documentation names, with the profile and without it.
func TestComposeServices(t *testing.T) {
	t.Parallel()
	with := append(slices.Clone(simulated), "jicofo", "prosody", "jvb", "node-jitsi", "sidecar-jitsi")
	slices.Sort(with)
	for profile, want := range map[string][]string{"": simulated, "jitsi": with} {
		project := load(t, profile)
		if got := slices.Sorted(maps.Keys(project.Services)); !slices.Equal(got, want) {
			t.Errorf("profile %q: services %v, want %v", profile, got, want)
		}
	}
}

// withoutCheck are the services without a health check, with the reasons. Their images have none either.
var withoutCheck = map[string]string{
	"prosody": "its sidecar observes it", "jicofo": "its sidecar observes it", "jvb": "its sidecar observes it",
	"node1": "does nothing", "node2": "does nothing", "node3": "does nothing", "node-jitsi": "does nothing",
	"otel-collector": "its image has no program for a check",
}

func TestComposeHardening(t *testing.T) {
	t.Parallel()
	for name, s := range load(t, "jitsi").Services {
		expect := func(holds bool, what string) {
			t.Helper()
			if !holds {
				t.Errorf("%s: %s", name, what)
			}
		}
		expect(slices.Equal(s.CapDrop, []string{"ALL"}) && len(s.CapAdd) == 0, "has capabilities")
		expect(slices.Contains(s.SecurityOpt, "no-new-privileges:true"), "may gain privileges")
		expect(s.MemLimit >= 32<<20 && s.MemLimit <= 1<<30, "has no bound of its memory, or one below 32 MiB")
		expect(s.PidsLimit > 0, "has no bound of its processes")
		expect(s.Logging != nil && s.Logging.Options["max-size"] != "" && s.Logging.Options["max-file"] != "",
			"has no bound of its log")
		expect(!s.Privileged && s.NetworkMode != "host" && s.Pid == "" && s.Ipc == "", "shares a namespace of the host")
		expect(s.ReadOnly, "may write to its root file system")
		uid, err := strconv.Atoi(strings.Split(s.User, ":")[0])
		expect(err == nil && uid > 0, fmt.Sprintf("runs as %q, which is no number, or root", s.User))
		expect((s.HealthCheck != nil) == (withoutCheck[name] == ""), "has a health check, or none, against expectation")
		for _, p := range s.Ports {
			expect(p.HostIP == "127.0.0.1", "publishes port "+p.Published+" beyond loopback")
		}
	}
}

// TestComposeHealthChecks checks that `up --wait` can succeed: it fails for a service whose health check is disabled.
// The checks of the product ask for the sidecar itself and for the simulation, which must not restart because a node
// fails.
func TestComposeHealthChecks(t *testing.T) {
	t.Parallel()
	for name, s := range load(t, "jitsi").Services {
		check := s.HealthCheck
		if check == nil {
			if s.Image == product {
				t.Errorf("%s has the health check of the image, which is for a sidecar", name)
			}
			continue
		}
		if check.Disable || s.Image != product && !wgetCheck.MatchString(strings.Join(check.Test, " ")) {
			t.Errorf("%s: the health check is %+v", name, check)
		}
		self := []string{"CMD", "/usr/bin/signal-sidecar", "status", "--self"}
		if strings.HasPrefix(name, "shard") {
			self = append(self, "--url", "http://127.0.0.1:8899") // --control-addr
		}
		if s.Image == product && !slices.Equal(check.Test, self) {
			t.Errorf("%s: the health check is %q", name, check.Test)
		}
		if check.StartPeriod == nil || time.Duration(*check.StartPeriod) < time.Minute {
			t.Errorf("%s: up --wait fails if it takes more than %s to start", name, check.StartPeriod)
		}
		if time.Duration(*check.Timeout) <= 5*time.Second && s.Image == product {
			t.Errorf("%s: docker ends the check after %s, before it can print the reason", name, check.Timeout)
		}
	}
}

// wgetCheck is a health check whose exit codes are 0 and 1 only.
var wgetCheck = regexp.MustCompile(`^CMD-SHELL wget -q -O /dev/null http://127\.0\.0\.1:\d+/\S* \|\| exit 1$`)

// product is the image that is built from this tree.
const product = "signal-sidecar:local"

// TestComposeBuildsOnce checks that one service builds the image, and that no other pulls it: builds of several
// services that export the same tag at the same time fail.
func TestComposeBuildsOnce(t *testing.T) {
	t.Parallel()
	var builders []string
	for name, s := range load(t, "jitsi").Services {
		switch {
		case s.Build != nil:
			builders = append(builders, name)
			if s.Image != product || s.PullPolicy != types.PullPolicyBuild {
				t.Errorf("%s builds %s with the policy %s", name, s.Image, s.PullPolicy)
			}
		case s.Image == product && s.PullPolicy != types.PullPolicyNever:
			t.Errorf("%s may pull %s", name, s.Image)
		}
	}
	if !slices.Equal(builders, []string{"shard1"}) {
		t.Errorf("the image is built by %q", builders)
	}
}

// byTag are the images that are pinned by their tag alone: docs/dependencies.md says why.
var byTag = []string{"hashicorp/consul", "ghcr.io/jitsi/prosody", "ghcr.io/jitsi/jicofo", "ghcr.io/jitsi/jvb"}

var pinned = regexp.MustCompile(`^([a-z0-9./-]+):([A-Za-z0-9._-]*[0-9][A-Za-z0-9._-]*)(@sha256:[0-9a-f]{64})?$`)

// TestComposeImagesArePinned checks that each image has a version and a digest, and a row in the documentation.
func TestComposeImagesArePinned(t *testing.T) {
	t.Parallel()
	docs, err := os.ReadFile(filepath.Join(root, "docs/dependencies.md"))
	if err != nil {
		t.Fatal(err)
	}
	for name, s := range load(t, "jitsi").Services {
		if s.Image == product {
			continue // built from this tree
		}
		m := pinned.FindStringSubmatch(s.Image)
		if m == nil || strings.Contains(m[2], "latest") {
			t.Errorf("%s: the image %s is not pinned", name, s.Image)
			continue
		}
		if slices.Contains(byTag, m[1]) != (m[3] == "") {
			t.Errorf("%s: the image %s has no digest, or one against expectation", name, s.Image)
		}
		if !strings.Contains(string(docs), "| `"+m[1]+"` |") {
			t.Errorf("docs/dependencies.md has no row for %s", m[1])
		}
	}
}

// TestComposeVariablesAreUsed checks that a mounted configuration uses each variable that its service gets.
func TestComposeVariablesAreUsed(t *testing.T) {
	t.Parallel()
	services := load(t).Services
	for service, file := range map[string]string{
		"haproxy": "deploy/haproxy/haproxy.cfg", "otel-collector": "deploy/otel-collector/config.yaml",
	} {
		content, err := os.ReadFile(filepath.Join(root, file))
		if err != nil || len(services[service].Environment) == 0 {
			t.Fatalf("%s: %v", service, err)
		}
		for name := range services[service].Environment {
			if !regexp.MustCompile(`\b` + name + `\b`).Match(content) {
				t.Errorf("%s does not use %s", file, name)
			}
		}
	}
}

// TestComposeMounts checks that every mounted file exists, and that docker would not create a missing one as a folder.
func TestComposeMounts(t *testing.T) {
	t.Parallel()
	for name, s := range load(t, "jitsi").Services {
		for _, v := range s.Volumes {
			if v.Type != types.VolumeTypeBind {
				continue
			}
			if _, err := os.Stat(v.Source); err != nil {
				t.Errorf("%s: %v", name, err)
			}
			if !v.ReadOnly {
				t.Errorf("%s may write to %s", name, v.Source)
			}
			if v.Bind == nil || v.Bind.CreateHostPath {
				t.Errorf("%s: docker would make a folder of %s, were it missing", name, v.Source)
			}
		}
	}
}

// TestComposePublishesOnce checks that no port is published twice on the host: all services run at the same time.
func TestComposePublishesOnce(t *testing.T) {
	t.Parallel()
	taken := map[string]string{}
	for name, s := range load(t, "jitsi").Services {
		for _, p := range s.Ports {
			if other, twice := taken[p.Published]; twice {
				t.Errorf("%s and %s both publish port %s", name, other, p.Published)
			}
			taken[p.Published] = name
		}
	}
}

// TestComposeSidecarsSitBesideTheirShards checks that, as in production, each sidecar shares its shard's network, where
// it has a name of its own. The network belongs to neither, so that it outlives both.
func TestComposeSidecarsSitBesideTheirShards(t *testing.T) {
	t.Parallel()
	project := load(t, "jitsi")
	for node, members := range map[string][]string{
		"node1": {"shard1", "sidecar1"}, "node2": {"shard2", "sidecar2"}, "node3": {"shard3", "sidecar3"},
		"node-jitsi": {"prosody", "jicofo", "jvb", "sidecar-jitsi"},
	} {
		owner := project.Services[node]
		if !strings.Contains(owner.Image, "/pause:") {
			t.Errorf("%s runs %s, which may end by itself", node, owner.Image)
		}
		for _, name := range members {
			s := project.Services[name]
			if s.NetworkMode != "service:"+node || !s.DependsOn[node].Restart {
				t.Errorf("%s has the network %s, and would stay in it when %s is restarted", name, s.NetworkMode, node)
			}
			if strings.HasPrefix(name, "sidecar") && !slices.Contains(owner.Networks["default"].Aliases, name) {
				t.Errorf("%s has no alias in the network", name)
			}
		}
	}
}

// TestComposeJitsi checks what Jitsi's images need to run without root and privileges, and that the heaps of Java take
// half of the memory limit at most.
func TestComposeJitsi(t *testing.T) {
	t.Parallel()
	services := load(t, "jitsi").Services
	for _, name := range []string{"prosody", "jicofo", "jvb"} {
		s := services[name]
		if s.User != "1000:1000" {
			t.Errorf("%s runs as %s", name, s.User)
		}
		for _, folder := range []string{"/run", "/var/lib/prosody"} {
			if !slices.ContainsFunc(s.Tmpfs, func(mount string) bool {
				return strings.HasPrefix(mount, folder+":uid=1000,gid=1000,")
			}) {
				t.Errorf("%s cannot write to %s: %q", name, folder, s.Tmpfs)
			}
		}
		for _, variable := range []string{"JICOFO_MAX_MEMORY", "VIDEOBRIDGE_MAX_MEMORY"} {
			mib, err := strconv.Atoi(strings.TrimSuffix(*s.Environment[variable], "m"))
			if err != nil || 2*mib<<20 > int(s.MemLimit) {
				t.Errorf("%s: %s=%s does not fit into %d MiB", name, variable, *s.Environment[variable], s.MemLimit>>20)
			}
		}
	}
}

// TestComposeShardsHaveOneName checks that Consul, Prometheus and HAProxy mean the same shard by a name.
func TestComposeShardsHaveOneName(t *testing.T) {
	t.Parallel()
	project := loadWith(t, []string{"SHARD1=jitsi"}, "jitsi")
	haproxy := project.Services["haproxy"].Environment
	if *haproxy["SHARD1"] != "jitsi" || *haproxy["SHARD1_NAME"] != "jitsi" {
		t.Errorf("HAProxy calls %s %s", *haproxy["SHARD1"], *haproxy["SHARD1_NAME"])
	}
	prometheus, err := os.ReadFile(filepath.Join(root, "deploy/prometheus/prometheus.yml"))
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"shard1", "shard2", "shard3", "jitsi"} {
		sidecar := "sidecar" + strings.TrimPrefix(name, "shard")
		if name == "jitsi" {
			sidecar = "sidecar-jitsi"
		}
		if a := *project.Services[sidecar].Environment["OTEL_RESOURCE_ATTRIBUTES"]; !strings.HasPrefix(a,
			"jitsi.shard="+name+",") {
			t.Errorf("%s is %s", sidecar, a)
		}
		if !strings.Contains(string(prometheus), sidecar) {
			t.Errorf("Prometheus does not scrape %s", sidecar)
		}
	}
	for name, s := range project.Services {
		if strings.HasPrefix(name, "sidecar") && (*s.Environment["CONSUL_STATUS_KEY"] != "shard-states/demo/{jitsi.shard}" ||
			*s.Environment["CONSUL_REPORT_KEY"] != "signal-report/demo/{jitsi.shard}") {
			t.Errorf("%s has other keys in Consul", name)
		}
	}
}

// TestComposePortsCanBeMoved checks that each published port is a variable.
func TestComposePortsCanBeMoved(t *testing.T) {
	t.Parallel()
	content, err := os.ReadFile(filepath.Join(root, "docker-compose.yml"))
	if err != nil {
		t.Fatal(err)
	}
	var moved []string
	for i, m := range regexp.MustCompile(`127\.0\.0\.1:\$\{(\w+):-\d+\}:\d+"`).FindAllStringSubmatch(string(content), -1) {
		moved = append(moved, m[1]+"="+strconv.Itoa(20000+i))
	}
	for name, s := range loadWith(t, moved, "jitsi").Services {
		for _, p := range s.Ports {
			if port, _ := strconv.Atoi(p.Published); port < 20000 || port > 20100 {
				t.Errorf("%s publishes port %s always", name, p.Published)
			}
		}
	}
}

// TestComposeFilesAreReadable checks that the containers' users, who do not own the clone, can read what they mount.
func TestComposeFilesAreReadable(t *testing.T) {
	t.Parallel()
	const command = "chmod -R a+rX deploy"
	for _, s := range load(t, "jitsi").Services {
		for _, v := range s.Volumes {
			if v.Type != types.VolumeTypeBind {
				continue
			}
			err := filepath.WalkDir(v.Source, func(path string, d fs.DirEntry, err error) error {
				if err != nil {
					return err
				}
				info, err := d.Info()
				if err != nil {
					return err
				}
				want := fs.FileMode(0o444)
				if d.IsDir() {
					want = 0o555
				}
				if info.Mode()&want != want {
					t.Errorf("%s has the mode %s: %s", path, info.Mode(), command)
				}
				return nil
			})
			if err != nil {
				t.Error(err)
			}
		}
	}
	readme, err := os.ReadFile(filepath.Join(root, "README.md"))
	if err != nil || !strings.Contains(string(readme), "`"+command+"`") {
		t.Errorf("the README does not name %q: %v", command, err)
	}
}

// TestComposeRefuses checks that an error in the file is reported, and does not give a stack that works only partly.
func TestComposeRefuses(t *testing.T) {
	t.Parallel()
	content, err := os.ReadFile(filepath.Join(root, "docker-compose.yml"))
	if err != nil {
		t.Fatal(err)
	}
	for what, change := range map[string][2]string{
		"an unknown condition":  {"condition: service_started", "condition: service_begun"},
		"an unknown dependency": {"prometheus: {condition", "prometeus: {condition"},
		"an unknown key":        {"read_only: true", "readonly: true"},
	} {
		changed := strings.Replace(string(content), change[0], change[1], 1)
		if changed == string(content) {
			t.Fatalf("%s: the file has no %s", what, change[0])
		}
		file := filepath.Join(t.TempDir(), "docker-compose.yml")
		if err := os.WriteFile(file, []byte(changed), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := loadFrom(file, nil); err == nil {
			t.Errorf("%s is accepted", what)
		}
	}
}
