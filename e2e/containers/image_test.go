package containers

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io/fs"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/signal-sidecar/signal-sidecar/signalnode"
	"github.com/signal-sidecar/signal-sidecar/testbed"
)

// baseImage replaces the base image of the first stage. make test-containers makes it. It has no Go: this machine's Go
// is mounted.
const baseImage = "localhost/gobase"

// buildah builds images as root and without a container engine, in the store that E2E_BUILDAH names.
type buildah struct{ store string }

func findBuildah(t *testing.T) buildah {
	t.Helper()
	b := buildah{os.Getenv("E2E_BUILDAH")}
	_, err := exec.LookPath("buildah")
	if _, missing := os.Stat(filepath.Join(b.store, "root")); err != nil || missing != nil || os.Getuid() != 0 {
		testbed.Missing(t, "buildah, its store at E2E_BUILDAH="+b.store+" (make test-containers makes it), or root")
	}
	return b
}

// run runs buildah and returns its standard output.
func (b buildah) run(t *testing.T, args ...string) string {
	t.Helper()
	ctx := context.WithoutCancel(t.Context()) // so that the cleanup can use it too
	cmd := exec.CommandContext(ctx, "buildah", append([]string{
		"--storage-driver", "vfs", "--root", filepath.Join(b.store, "root"), "--runroot", filepath.Join(b.store, "run"),
	}, args...)...)
	cmd.Env = append(os.Environ(), "BUILDAH_ISOLATION=chroot", "TMPDIR="+b.store) // the folder keeps the build cache
	var out, errOut bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errOut
	if err := cmd.Run(); err != nil {
		t.Fatalf("%s: %v\n%s%s", cmd, err, out.String(), errOut.String())
	}
	return strings.TrimSpace(out.String())
}

// command runs a program of this machine and returns its standard output.
func command(t *testing.T, folder, name string, args ...string) string {
	t.Helper()
	cmd := exec.Command(name, args...)
	cmd.Dir = folder
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%s: %v", cmd, err)
	}
	return strings.TrimSpace(string(out))
}

// build builds the Dockerfile without a network. It uses Go and the modules of this machine.
func (b buildah) build(t *testing.T, revision string) (image string) {
	t.Helper()
	command(t, root, "go", "mod", "download")
	image = fmt.Sprintf("localhost/signal-sidecar:test-%d", os.Getpid())
	b.run(t, "bud", "--format", "docker", "--network=none", "--pull-never", "--tag", image,
		"--volume", command(t, root, "go", "env", "GOROOT")+":/usr/local/go:ro",
		"--volume", filepath.Join(command(t, root, "go", "env", "GOMODCACHE"), "cache/download")+":/modules:ro",
		"--build-arg", "GOPROXY=file:///modules", "--build-context", golang(t)+"=container-image://"+baseImage,
		"--build-arg", "VERSION=1.2.3", "--build-arg", "REVISION="+revision, root)
	t.Cleanup(func() { b.run(t, "rmi", image) })
	return image
}

// TestImage builds the image, checks its config and its files, and runs it as its user with only these files.
func TestImage(t *testing.T) {
	b := findBuildah(t)
	revision := command(t, root, "git", "rev-parse", "HEAD")
	image := b.build(t, revision)
	t.Run("what it says", func(t *testing.T) { checkConfig(t, b.run(t, "inspect", "--type", "image", image), revision) })

	container := b.run(t, "from", "--pull-never", image)
	t.Cleanup(func() { b.run(t, "rm", container) })
	files := b.run(t, "mount", container)
	t.Run("what it holds", func(t *testing.T) { checkFiles(t, files) })
	if err := os.Mkdir(filepath.Join(files, "proc"), 0o555); err != nil {
		t.Fatal(err)
	}
	t.Run("its version", func(t *testing.T) {
		if out, err := inImage(t, files, nil, "version").CombinedOutput(); err != nil ||
			!strings.Contains(string(out), revision) {
			t.Errorf("%v: %s, want revision %s", err, out, revision)
		}
	})
	t.Run("it runs", func(t *testing.T) { checkRuns(t, files) })
}

// imageConfig holds the fields of an image's config that Docker reads.
type imageConfig struct {
	Docker struct {
		Config struct {
			User         string
			Entrypoint   []string
			Cmd          []string
			Env          []string
			ExposedPorts map[string]struct{}
			Labels       map[string]string
			Healthcheck  struct{ Test []string }
		} `json:"config"`
	}
}

func checkConfig(t *testing.T, inspected, revision string) {
	var image imageConfig
	if err := json.Unmarshal([]byte(inspected), &image); err != nil {
		t.Fatal(err)
	}
	c := image.Docker.Config
	if c.User != "65532:65532" {
		t.Errorf("it runs as %q", c.User)
	}
	if !slices.Equal(c.Entrypoint, []string{"/usr/bin/signal-sidecar"}) || len(c.Cmd) > 0 {
		t.Errorf("it starts %q %q", c.Entrypoint, c.Cmd)
	}
	if !slices.Equal(c.Healthcheck.Test, []string{"CMD", "/usr/bin/signal-sidecar", "status", "--self"}) {
		t.Errorf("its health is asked for by %q", c.Healthcheck.Test)
	}
	if !slices.Contains(c.Env, "STATE_PATH=/var/lib/signal-sidecar/state.json") {
		t.Errorf("its environment is %q", c.Env)
	}
	for _, port := range []string{"6000/tcp", "6001/tcp", "6060/tcp", "6061/tcp"} {
		if _, exposed := c.ExposedPorts[port]; !exposed {
			t.Errorf("it does not expose %s", port)
		}
	}
	for label, want := range map[string]string{"title": "signal-sidecar", "licenses": "Apache-2.0", "version": "1.2.3",
		"revision": revision} {
		if got := c.Labels["org.opencontainers.image."+label]; got != want {
			t.Errorf("label %s is %q, want %q", label, got, want)
		}
	}
}

func checkFiles(t *testing.T, files string) {
	var held []string
	err := filepath.WalkDir(files, func(path string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			held = append(held, strings.TrimPrefix(path, files))
		}
		return err
	})
	if want := []string{"/etc/jitsi/shard-status", "/etc/ssl/certs/ca-certificates.crt",
		"/usr/bin/signal-sidecar", "/usr/share/doc/signal-sidecar/LICENSE",
		"/usr/share/doc/signal-sidecar/THIRD_PARTY_LICENSES"}; err != nil || !slices.Equal(held, want) {
		t.Errorf("it holds %q, want %q, %v", held, want, err)
	}
	licences, _ := os.ReadFile(filepath.Join(files, "usr/share/doc/signal-sidecar/THIRD_PARTY_LICENSES"))
	if !bytes.Contains(licences, []byte("\n* github.com/gin-gonic/gin v")) {
		t.Error("it has no licences of the modules")
	}
	status := filepath.Join(files, "etc/jitsi/shard-status")
	info, err := os.Stat(status)
	if err != nil {
		t.Fatal(err)
	}
	if word, _ := os.ReadFile(status); string(word) != "drain\n" || info.Mode() != 0o644 ||
		info.Sys().(*syscall.Stat_t).Uid != 65532 {
		t.Errorf("the status file says %q, mode %s, owner %d", word, info.Mode(), info.Sys().(*syscall.Stat_t).Uid)
	}
	state, err := os.Stat(filepath.Join(files, "var/lib/signal-sidecar"))
	if err != nil || state.Mode() != fs.ModeDir|0o755 || state.Sys().(*syscall.Stat_t).Uid != 65532 {
		t.Errorf("its folder for the state: %v, %v", state, err)
	}
	if authorities, _ := os.ReadFile(filepath.Join(files, "etc/ssl/certs/ca-certificates.crt")); bytes.Count(
		authorities, []byte("BEGIN CERTIFICATE")) < 50 {
		t.Error("it knows no authorities")
	}
	if info, err := os.Stat(filepath.Join(files, "tmp")); err != nil || info.Mode() != fs.ModeDir|fs.ModeSticky|0o777 {
		t.Errorf("its /tmp: %v, %v", info, err)
	}
}

// inImage returns a command that runs the image's program as its user. It has only the image's files, which it cannot
// change, a volume for the state as in docker-compose.yml and, as in every container, a /proc. Its mount namespace ends
// with it.
func inImage(t *testing.T, files string, environment []string, args ...string) *exec.Cmd {
	t.Helper()
	const enter = `mount --bind "$0" "$0" && mount -o remount,bind,ro "$0" && mount -t proc proc "$0/proc" &&
		mount -t tmpfs -o uid=65532,mode=0755 state "$0/var/lib/signal-sidecar" &&
		exec chroot --userspec=65532:65532 "$0" /usr/bin/signal-sidecar "$@"`
	cmd := exec.CommandContext(t.Context(), "unshare", append([]string{"--mount", "sh", "-c", enter, files}, args...)...)
	cmd.Env = append([]string{"PATH=/usr/sbin:/usr/bin:/sbin:/bin"}, environment...)
	return cmd
}

// checkRuns runs the sidecar with a simulated node. It must drain, as its status file requires, and pass its own health
// check.
func checkRuns(t *testing.T, files string) {
	node, err := signalnode.Start()
	if err != nil {
		t.Fatal(err)
	}
	defer node.Close()
	port := freePort(t)
	environment := []string{
		"HTTP_ADDR=127.0.0.1", "TCP_ADDR=127.0.0.1", "TCP_PORT=0", "HTTP_PORT=" + port,
		"JICOFO_ORIG=" + node.Jicofo.Origin(), "PROSODY_ORIG=" + node.Prosody.Origin(),
		"STATE_PATH=/var/lib/signal-sidecar/state.json", // as in the image
	}
	sidecar := inImage(t, files, environment)
	var log bytes.Buffer
	sidecar.Stdout, sidecar.Stderr = &log, &log
	if err := sidecar.Start(); err != nil {
		t.Fatal(err)
	}
	said, limit := "", time.Now().Add(30*time.Second)
	for tick := time.NewTicker(50 * time.Millisecond); !strings.HasPrefix(said, "up drain 0%") &&
		time.Now().Before(limit); <-tick.C {
		out, _ := inImage(t, files, environment, "status").Output() // fails until the sidecar replies
		said = string(out)
	}
	if out, err := inImage(t, files, environment, "status").Output(); err != nil ||
		!strings.HasPrefix(string(out), "up drain 0%") {
		t.Errorf("its status: %v, %s", err, out)
	}
	if out, err := inImage(t, files, environment, "status", "--self").Output(); err != nil || string(out) != "OK\n" {
		t.Errorf("its health check: %v, %s", err, out)
	}
	state := fmt.Sprintf("/proc/%d/root/var/lib/signal-sidecar/state.json", sidecar.Process.Pid)
	if content, err := os.ReadFile(state); err != nil || !json.Valid(content) {
		t.Errorf("its state: %v, %q", err, content)
	}
	_ = sidecar.Process.Signal(syscall.SIGTERM)
	if err := sidecar.Wait(); err != nil || t.Failed() {
		t.Errorf("the end: %v\n%s", err, log.String())
	}
}

func freePort(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	_, port, _ := net.SplitHostPort(l.Addr().String())
	return port
}
