// Package kubernetes runs the commands of docs/kubernetes.md in a Kubernetes without nodes, and the sidecar on a
// volume that the kubelet's code writes. It is a package of its own, because Kubernetes takes some ten minutes to build. Run it
// with make test-kubernetes. What can be checked without it is in package e2e.
package kubernetes

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/signal-sidecar/signal-sidecar/testbed"
	"github.com/signal-sidecar/signal-sidecar/testbed/node"
)

// TestMain fails the package when a goroutine outlives its test.
func TestMain(m *testing.M) { testbed.Main(m) }

// bound limits every wait of a test. A wait takes this long only if it fails.
const bound = 2 * time.Minute

// cluster is a Kubernetes of etcd, kube-apiserver and the controller of StatefulSets. It has no nodes: its pods stay
// pending.
type cluster struct {
	programs string // folder with kubectl and the others
	config   string // path of KUBECONFIG
}

// startCluster returns when the API server is ready.
func startCluster(t *testing.T) *cluster {
	t.Helper()
	folder := t.TempDir()
	c := &cluster{programs: filepath.Join(folder, "bin"), config: filepath.Join(folder, "kubeconfig")}
	c.link(t)
	client, peer := "http://"+testbed.LastingAddress(t), "http://"+testbed.LastingAddress(t)
	testbed.Start(t, c.command(t, "etcd", "--data-dir", filepath.Join(folder, "etcd"), "--log-level", "error",
		"--unsafe-no-fsync", "--listen-client-urls", client, "--advertise-client-urls", client,
		"--listen-peer-urls", peer, "--initial-advertise-peer-urls", peer, "--initial-cluster", "default="+peer))
	certificate, key := testbed.NewAuthority(t).Issue(t, "localhost")
	certificate, key = testbed.Write(t, folder, "server.pem", certificate), testbed.Write(t, folder, "server.key", key)
	port := testbed.LastingPort(t)
	server := testbed.Start(t, c.command(t, "kube-apiserver", "--etcd-servers", client, "--bind-address", "127.0.0.1",
		"--secure-port", port, "--tls-cert-file", certificate, "--tls-private-key-file", key,
		"--token-auth-file", testbed.Write(t, folder, "tokens", "secret,operator,1,system:masters\n"),
		"--service-account-issuer", "https://kubernetes.default.svc", "--service-account-key-file", certificate,
		"--service-account-signing-key-file", key, "--service-cluster-ip-range", "10.96.0.0/24",
		"--endpoint-reconciler-type", "none", "--authorization-mode", "RBAC",
		"--disable-admission-plugins", "ServiceAccount")) // the controller that creates the accounts does not run
	testbed.Write(t, folder, "kubeconfig", fmt.Sprintf(`{apiVersion: v1, kind: Config, current-context: test,
clusters: [{name: test, cluster: {server: "https://127.0.0.1:%s", insecure-skip-tls-verify: true}}],
users: [{name: operator, user: {token: secret}}],
contexts: [{name: test, context: {cluster: test, user: operator}}]}`, port))
	testbed.Eventually(t, "the API server to be ready", bound, func() bool {
		if server.Ended() {
			t.Fatal("the API server ended")
		}
		return c.command(t, "kubectl", "get", "--raw", "/readyz").Run() == nil
	})
	testbed.Start(t, c.command(t, "statefulset-controller"))
	return c
}

// link makes a link of the name of each program to the one that holds them all.
func (c *cluster) link(t *testing.T) {
	t.Helper()
	path := os.Getenv("E2E_KUBE")
	if _, err := os.Stat(path); err != nil {
		testbed.Missing(t, "E2E_KUBE="+path+" (make test-kubernetes builds it)")
	}
	testbed.Must(t, os.Mkdir(c.programs, 0o755))
	for _, name := range []string{"etcd", "kube-apiserver", "kubectl", "statefulset-controller", "configmap-volume"} {
		testbed.Must(t, os.Symlink(path, filepath.Join(c.programs, name)))
	}
}

func (c *cluster) command(t *testing.T, name string, args ...string) *exec.Cmd {
	t.Helper()
	cmd := exec.CommandContext(context.Background(), filepath.Join(c.programs, name), args...)
	cmd.Env = append(os.Environ(), "KUBECONFIG="+c.config, "PATH="+c.programs+":"+os.Getenv("PATH"), "HOME="+t.TempDir())
	return cmd
}

// shell runs a command line in the root of the repository, and returns its output and whether it succeeded.
func (c *cluster) shell(t *testing.T, line string) (out string, ok bool) {
	t.Helper()
	cmd := c.command(t, "kubectl")
	cmd.Path, cmd.Args, cmd.Dir = "/bin/sh", []string{"sh", "-c", line}, "../.."
	text, err := cmd.CombinedOutput()
	return string(text), err == nil
}

// run runs a command line that must succeed.
func (c *cluster) run(t *testing.T, line string) string {
	t.Helper()
	out, ok := c.shell(t, line)
	if !ok {
		t.Fatalf("%s:\n%s", line, out)
	}
	return out
}

// operatorResources defines the two kinds of the Prometheus Operator, without their fields: TestKubernetesReferences
// decodes them with its types.
const operatorResources = `
for kind in PodMonitor PrometheusRule; do
  plural=$(echo "${kind}s" | tr A-Z a-z)
  kubectl create -f - <<END
{apiVersion: apiextensions.k8s.io/v1, kind: CustomResourceDefinition, metadata: {name: $plural.monitoring.coreos.com},
spec: {group: monitoring.coreos.com, scope: Namespaced, names: {kind: $kind, plural: $plural},
versions: [{name: v1, served: true, storage: true,
schema: {openAPIV3Schema: {type: object, x-kubernetes-preserve-unknown-fields: true}}}]}}
END
  kubectl wait --for condition=established --timeout 60s crd/$plural.monitoring.coreos.com
done
kubectl create -f - <<END
{apiVersion: v1, kind: Node, metadata: {name: node1}}
END
`

// needsNode are the commands that only a node can carry out, and why they fail while the pods are pending. The logs of
// a pending pod are empty.
var needsNode = map[string]string{
	"kubectl exec":         "does not have a host assigned",
	"kubectl port-forward": "pod is not running. Current status=Pending",
}

var pageCommand = regexp.MustCompile(`(?m)^ *(kubectl .*)$`)

// TestKubernetesCluster runs the commands of docs/kubernetes.md, in their order, in a Kubernetes.
func TestKubernetesCluster(t *testing.T) {
	t.Parallel()
	c := startCluster(t)
	c.run(t, operatorResources)
	commands := pageCommand.FindAllStringSubmatch(testbed.Contents("../../docs/kubernetes.md"), -1)
	if len(commands) < 12 {
		t.Fatalf("the page has only %q", commands)
	}
	for _, found := range commands {
		line := found[1]
		want, node := needsNode[strings.Join(strings.Fields(line)[:2], " ")]
		if out, ok := c.shell(t, line); ok == node || !strings.Contains(out, want) || strings.Contains(out, "Warning") {
			t.Errorf("%s:\n%s", line, out)
		}
		if strings.Contains(line, " -k ") {
			c.applied(t, line)
		}
	}
	if status := c.status(t); status != "ready drain drain " {
		t.Errorf("the status of the shards is %q", status)
	}
	c.pods(t, "shard-0 shard-1 shard-2")
}

// applied checks what the command that applies the manifests has done: the API server has no warning, it starts the
// pods, and the same command again changes nothing, not even after a drain.
func (c *cluster) applied(t *testing.T, line string) {
	t.Helper()
	c.pods(t, "shard-0 shard-1")
	c.run(t, `kubectl patch configmap shard-status -n jitsi --type merge -p '{"data":{"shard-0":"maint"}}'`)
	for again := range strings.Lines(c.run(t, line)) {
		// kubectl always replaces the selector of a budget, also by the same one.
		if !strings.HasSuffix(again, " unchanged\n") && !strings.HasPrefix(again, "poddisruptionbudget") {
			t.Errorf("%s again: %s", line, again)
		}
	}
	if status := c.status(t); status != "maint drain " {
		t.Errorf("the status of the shards is %q", status)
	}
	out, ok := c.shell(t, "kubectl run root -n jitsi --image=example.com/x:1")
	if ok || !strings.Contains(out, "restricted") {
		t.Errorf("the namespace admits a pod that may run as root:\n%s", out)
	}
}

func (c *cluster) status(t *testing.T) string {
	t.Helper()
	return c.run(t, `kubectl get configmap shard-status -n jitsi -o go-template='{{range .data}}{{.}} {{end}}'`)
}

// pods waits for the pods of the namespace.
func (c *cluster) pods(t *testing.T, want string) {
	t.Helper()
	testbed.Eventually(t, "the pods "+want, bound, func() bool {
		return c.run(t, "kubectl get pods -n jitsi -o jsonpath='{.items[*].metadata.name}'") == want
	})
}

// TestKubernetesVolume updates the status file as the kubelet does, by the kubelet's own code, as fast as it can. No
// state may be seen that nobody set.
func TestKubernetesVolume(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	c := &cluster{programs: filepath.Join(folder, "bin")}
	c.link(t)
	volume := filepath.Join(folder, "volume")
	testbed.Must(t, os.Mkdir(volume, 0o755))
	words := []string{"ready"}
	for i := range 300 {
		words = append(words, []string{"drain", "maint", "ready"}[i%3])
	}
	update := func(words ...string) {
		t.Helper()
		cmd := c.command(t, "configmap-volume", volume)
		cmd.Stdin = strings.NewReader(strings.Join(words, "\n") + "\n")
		if out, err := cmd.CombinedOutput(); err != nil || strings.Count(string(out), "\n") != len(words) {
			t.Errorf("%v after %q", err, out)
		}
	}
	update(words[0])
	s := testbed.StartSidecar(t, testbed.Quick.With(node.Start(t).Settings()).With(testbed.Vars{
		"STATUS_PATH": filepath.Join(volume, "shard-0"), "POLLING_INTERVAL": "60",
	}))
	s.Becomes(t, "up ready 100%")
	update(words...)
	update("drain")
	s.Becomes(t, "up drain 0%")
	for _, change := range s.Logged("verdict changed") {
		if strings.Contains(fmt.Sprint(change), "unknown") || change["healthy"] == false {
			t.Errorf("seen: %v", change)
		}
	}
}
