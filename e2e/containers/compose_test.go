// Package containers tests docker-compose.yml and the Dockerfile without a container engine. It reads
// docker-compose.yml with the library of docker compose, and builds the image with buildah.
package containers

import (
	"context"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/compose-spec/compose-go/v2/cli"
	"github.com/compose-spec/compose-go/v2/types"
)

const root = "../.."

// load reads docker-compose.yml as docker compose does.
func load(t *testing.T, profiles ...string) *types.Project {
	t.Helper()
	project, err := loadFrom(filepath.Join(root, "docker-compose.yml"), profiles...)
	if err != nil {
		t.Fatal(err)
	}
	return project
}

func loadFrom(file string, profiles ...string) (*types.Project, error) {
	o, err := cli.NewProjectOptions([]string{file}, cli.WithProfiles(profiles))
	if err != nil {
		return nil, err
	}
	return o.LoadProject(context.Background())
}

var simulated = []string{"grafana", "haproxy", "jaeger", "otel-collector", "prometheus", "shard1", "shard2", "shard3",
	"sidecar1", "sidecar2", "sidecar3"}

// TestComposeServices checks that the services are those that the documentation names, with the profile and without it.
func TestComposeServices(t *testing.T) {
	t.Parallel()
	with := append(slices.Clone(simulated), "jicofo", "jitsi", "jvb", "sidecar-jitsi")
	slices.Sort(with)
	for profile, want := range map[string][]string{"": simulated, "jitsi": with} {
		project := load(t, profile)
		if got := slices.Sorted(maps.Keys(project.Services)); !slices.Equal(got, want) {
			t.Errorf("profile %q: services %v, want %v", profile, got, want)
		}
	}
}

// unasked are the services without a health check, with the reasons.
var unasked = map[string]string{
	"shard1": "fails on purpose", "shard2": "fails on purpose", "shard3": "fails on purpose",
	"jitsi": "its sidecar says", "jicofo": "its sidecar says", "jvb": "its sidecar says",
	"otel-collector": "nothing in the image could ask",
}

// foreign are the services with Jitsi's images, which start as root and write anywhere.
var foreign = map[string]bool{"jitsi": true, "jicofo": true, "jvb": true}

func TestComposeHardening(t *testing.T) {
	t.Parallel()
	for name, s := range load(t, "jitsi").Services {
		expect := func(holds bool, what string) {
			t.Helper()
			if !holds {
				t.Errorf("%s: %s", name, what)
			}
		}
		expect(slices.Equal(s.CapDrop, []string{"ALL"}), "does not drop all capabilities")
		expect(slices.Contains(s.SecurityOpt, "no-new-privileges:true"), "may gain privileges")
		expect(s.MemLimit > 0 && s.MemLimit <= 1<<30, "has no bound of its memory")
		expect(s.PidsLimit > 0, "has no bound of its processes")
		expect(!s.Privileged && s.NetworkMode != "host" && s.Pid == "" && s.Ipc == "", "shares what is the host's")
		if !foreign[name] {
			expect(s.ReadOnly, "may write to its root file system")
			expect(len(s.CapAdd) == 0, "adds capabilities")
			uid, err := strconv.Atoi(strings.Split(s.User, ":")[0])
			expect(err == nil && uid > 0, fmt.Sprintf("runs as %q, which is no number, or root", s.User))
		}
		asked := s.HealthCheck != nil && !s.HealthCheck.Disable
		expect(asked == (unasked[name] == ""), fmt.Sprintf("health check: %v, want the opposite", asked))
		if strings.HasPrefix(name, "sidecar") && asked {
			expect(slices.Equal(s.HealthCheck.Test, []string{"CMD", "/usr/bin/signal-sidecar", "status"}),
				"is not asked by signal-sidecar status")
		}
		for _, p := range s.Ports {
			expect(p.HostIP == "127.0.0.1", "publishes port "+p.Published+" beyond loopback")
		}
	}
}

func TestComposeImagesArePinned(t *testing.T) {
	t.Parallel()
	for name, s := range load(t, "jitsi").Services {
		if s.Build != nil {
			continue // built from this tree
		}
		_, tag, _ := strings.Cut(s.Image[strings.LastIndex(s.Image, "/")+1:], ":")
		if !strings.ContainsAny(tag, "0123456789") || strings.Contains(tag, "latest") {
			t.Errorf("%s: the image %s is not pinned", name, s.Image)
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
// it has a name of its own.
func TestComposeSidecarsSitBesideTheirShards(t *testing.T) {
	t.Parallel()
	project := load(t)
	for _, n := range []string{"1", "2", "3"} {
		sidecar, shard := project.Services["sidecar"+n], project.Services["shard"+n]
		if sidecar.NetworkMode != "service:shard"+n {
			t.Errorf("sidecar%s has the network %s", n, sidecar.NetworkMode)
		}
		if d := sidecar.DependsOn["shard"+n]; !d.Restart {
			t.Errorf("sidecar%s would stay in the network of a shard%[1]s that is gone", n)
		}
		if !slices.Contains(shard.Networks["default"].Aliases, "sidecar"+n) {
			t.Errorf("nobody finds sidecar%s", n)
		}
		word, err := os.ReadFile(filepath.Join(root, "deploy/compose/status/shard"+n))
		if err != nil || string(word) != "ready\n" || *sidecar.Environment["STATUS_PATH"] != "/etc/jitsi/status/shard"+n {
			t.Errorf("sidecar%s reads %s: %q, %v", n, *sidecar.Environment["STATUS_PATH"], word, err)
		}
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
		if _, err := loadFrom(file); err == nil {
			t.Errorf("%s is accepted", what)
		}
	}
}
