package e2e

import (
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	monitoring "github.com/prometheus-operator/prometheus-operator/pkg/apis/monitoring/v1"
	apps "k8s.io/api/apps/v1"
	core "k8s.io/api/core/v1"
	networking "k8s.io/api/networking/v1"
	disruption "k8s.io/api/policy/v1"
	security "k8s.io/pod-security-admission/api"
	"k8s.io/pod-security-admission/policy"
	"sigs.k8s.io/kustomize/api/krusty"
	"sigs.k8s.io/kustomize/kyaml/filesys"
	"sigs.k8s.io/yaml"

	"github.com/signal-sidecar/signal-sidecar/testbed"
)

const kubernetesFolder = "../deploy/kubernetes"

// manifests holds what kubectl apply -k sends to the API server, and the ConfigMap of the status files.
type manifests struct {
	shard   apps.StatefulSet
	service core.Service
	policy  networking.NetworkPolicy
	budget  disruption.PodDisruptionBudget
	monitor monitoring.PodMonitor
	rules   monitoring.PrometheusRule
	jitsi   core.ConfigMap
	status  core.ConfigMap
}

// loadManifests builds the kustomization, and decodes each resource with its type. Unknown and repeated keys are
// errors.
func loadManifests(t *testing.T) *manifests {
	t.Helper()
	var m manifests
	decode := func(content []byte, into any) {
		t.Helper()
		testbed.Must(t, yaml.UnmarshalStrict(content, into))
	}
	built, err := krusty.MakeKustomizer(krusty.MakeDefaultOptions()).Run(filesys.MakeFsOnDisk(), kubernetesFolder)
	testbed.Must(t, err)
	kinds := map[string]any{
		"StatefulSet": &m.shard, "Service": &m.service, "NetworkPolicy": &m.policy, "PodMonitor": &m.monitor,
		"PrometheusRule": &m.rules, "ConfigMap": &m.jitsi, "PodDisruptionBudget": &m.budget,
	}
	for _, resource := range built.Resources() {
		into := kinds[resource.GetKind()]
		if into == nil {
			t.Fatalf("a second or unknown %s %s", resource.GetKind(), resource.GetName())
		}
		delete(kinds, resource.GetKind())
		content, err := resource.AsYAML()
		testbed.Must(t, err)
		decode(content, into)
		if resource.GetNamespace() != "jitsi" {
			t.Errorf("%s %s is in namespace %q", resource.GetKind(), resource.GetName(), resource.GetNamespace())
		}
	}
	if len(kinds) > 0 {
		t.Fatalf("the kustomization lacks %v", kinds)
	}
	content, err := os.ReadFile(filepath.Join(kubernetesFolder, "status.yaml"))
	testbed.Must(t, err)
	decode(content, &m.status)
	return &m
}

// sidecar returns the container of the sidecar, which must be a native sidecar container.
func (m *manifests) sidecar(t *testing.T) core.Container {
	t.Helper()
	c := m.shard.Spec.Template.Spec.InitContainers[0]
	if c.Name != "signal-sidecar" || c.RestartPolicy == nil || *c.RestartPolicy != core.ContainerRestartPolicyAlways {
		t.Fatalf("the first init container is %s, restarted %v", c.Name, c.RestartPolicy)
	}
	return c
}

// TestKubernetesProbes checks that the kubelet restarts the sidecar only for the sidecar's own failures, and that
// jicofo and prosody do not wait for a healthy shard, which cannot be without them.
func TestKubernetesProbes(t *testing.T) {
	t.Parallel()
	m := loadManifests(t)
	c := m.sidecar(t)
	ready, live := c.ReadinessProbe, c.LivenessProbe
	if ready.HTTPGet.Path != "/signal/health" || ready.HTTPGet.Port.StrVal != "http" {
		t.Errorf("readiness asks %+v", ready.HTTPGet)
	}
	if delay := ready.PeriodSeconds * ready.FailureThreshold; delay > 5 {
		t.Errorf("readiness takes %d s to notice", delay)
	}
	if live.HTTPGet.Path != "/health" || live.HTTPGet.Port.StrVal != "http" || live.FailureThreshold < 3 {
		t.Errorf("liveness asks %+v, %d times", live.HTTPGet, live.FailureThreshold)
	}
	if c.StartupProbe != nil {
		t.Error("jicofo and prosody start only after the sidecar's startup probe succeeded")
	}
	for _, other := range m.shard.Spec.Template.Spec.Containers {
		if other.ReadinessProbe != nil || other.LivenessProbe != nil {
			t.Errorf("%s has probes: the sidecar decides about it", other.Name)
		}
	}
}

// TestKubernetesPodSecurity checks that a namespace that enforces the Pod Security Standard restricted admits the pods,
// as docs/kubernetes.md describes.
func TestKubernetesPodSecurity(t *testing.T) {
	t.Parallel()
	pod := loadManifests(t).shard.Spec.Template
	checks, err := policy.NewEvaluator(policy.DefaultChecks(), nil)
	testbed.Must(t, err)
	level := security.LevelVersion{Level: security.LevelRestricted, Version: security.LatestVersion()}
	result := policy.AggregateCheckResults(checks.EvaluatePod(level, &pod.ObjectMeta, &pod.Spec))
	if !result.Allowed {
		t.Error(result.ForbiddenDetail())
	}
	pod.Spec.Containers[0].SecurityContext.Capabilities.Drop = nil
	if policy.AggregateCheckResults(checks.EvaluatePod(level, &pod.ObjectMeta, &pod.Spec)).Allowed {
		t.Error("a container that keeps its capabilities is admitted too")
	}
}

// TestKubernetesHardening checks what the Pod Security Standard restricted does not demand: a read-only root file
// system, the users of the images, bounds for every container, and no variables of Services.
func TestKubernetesHardening(t *testing.T) {
	t.Parallel()
	m := loadManifests(t)
	pod, sidecar := m.shard.Spec.Template.Spec, m.sidecar(t)
	if *pod.AutomountServiceAccountToken || *pod.EnableServiceLinks {
		t.Error("the pod gets a token or variables of Services")
	}
	users := map[string]int64{"signal-sidecar": 65532, "prosody": 1000, "jicofo": 1000}
	for _, c := range append(pod.Containers, sidecar) {
		s := c.SecurityContext
		if !*s.ReadOnlyRootFilesystem || *s.RunAsUser != users[c.Name] || *s.RunAsGroup != users[c.Name] {
			t.Errorf("%s: %+v", c.Name, s)
		}
		if c.Resources.Limits.Memory().IsZero() || c.Resources.Requests.Cpu().IsZero() ||
			c.Resources.Requests.Memory().IsZero() {
			t.Errorf("%s: resources %+v", c.Name, c.Resources)
		}
		if !strings.Contains(c.Image, ":") || strings.HasSuffix(c.Image, ":latest") {
			t.Errorf("%s: image %s", c.Name, c.Image)
		}
	}
}

// TestKubernetesEnd checks that the sidecar of a pod that is deleted lives long enough to report down, and that nothing
// evicts a shard.
func TestKubernetesEnd(t *testing.T) {
	t.Parallel()
	m := loadManifests(t)
	const agentInter = 2
	sleep := m.sidecar(t).Lifecycle.PreStop.Sleep.Seconds
	if sleep < 3*agentInter || sleep > *m.shard.Spec.Template.Spec.TerminationGracePeriodSeconds/2 {
		t.Errorf("the sidecar ends after %d s", sleep)
	}
	if m.budget.Spec.MaxUnavailable.IntValue() != 0 {
		t.Errorf("the budget allows %s evictions", m.budget.Spec.MaxUnavailable)
	}
}

// environment returns the variables of a container as the kubelet sets them in this pod.
func environment(t *testing.T, c core.Container, pod, namespace string) vars {
	t.Helper()
	settings, known := vars{}, []string{}
	for _, v := range c.Env {
		value := v.Value
		if v.ValueFrom != nil {
			value = map[string]string{"metadata.name": pod, "metadata.namespace": namespace}[v.ValueFrom.FieldRef.FieldPath]
		}
		value = strings.NewReplacer(known...).Replace(value) // variables can use those before them
		if value == "" || strings.Contains(value, "$(") {
			t.Errorf("%s is %q", v.Name, value)
		}
		settings[v.Name] = value
		known = append(known, "$("+v.Name+")", value)
	}
	return settings
}

// TestKubernetesStatusFile checks that each shard reads its own key of the ConfigMap, from a folder that the kubelet
// updates, and that a new shard gets no users.
func TestKubernetesStatusFile(t *testing.T) {
	t.Parallel()
	m := loadManifests(t)
	c, pod := m.sidecar(t), m.shard.Spec.Template.Spec
	mount := slices.IndexFunc(c.VolumeMounts, func(v core.VolumeMount) bool { return v.Name == "status" })
	volume := slices.IndexFunc(pod.Volumes, func(v core.Volume) bool { return v.Name == "status" })
	if mount < 0 || volume < 0 {
		t.Fatal("the ConfigMap is not mounted")
	}
	if v := c.VolumeMounts[mount]; v.SubPath != "" || v.SubPathExpr != "" || !v.ReadOnly {
		t.Errorf("mount: %+v", v)
	}
	if source := pod.Volumes[volume].ConfigMap; source.Name != m.status.Name || len(source.Items) > 0 ||
		m.status.Namespace != m.shard.Namespace {
		t.Errorf("the volume is ConfigMap %s, not %s/%s", source.Name, m.status.Namespace, m.status.Name)
	}
	if n := int(*m.shard.Spec.Replicas); n != len(m.status.Data) {
		t.Errorf("%d shards, and status %v", n, m.status.Data)
	}
	for name, word := range m.status.Data {
		if word != "drain" {
			t.Errorf("%s begins with %q", name, word)
		}
		if !regexp.MustCompile("^" + m.shard.Name + `-\d$`).MatchString(name) {
			t.Errorf("%s is not a pod of %s", name, m.shard.Name)
		}
		if got := environment(t, c, name, "jitsi")["STATUS_PATH"]; got != path.Join(c.VolumeMounts[mount].MountPath, name) {
			t.Errorf("%s reads %s", name, got)
		}
	}
}

// TestKubernetesSettings checks that the sidecar knows each of its variables, and has no notice about them.
func TestKubernetesSettings(t *testing.T) {
	t.Parallel()
	c := loadManifests(t).sidecar(t)
	settings := environment(t, c, "shard-0", "jitsi")
	check := exec.Command(testbed.Binary(t), "check-config")
	check.Dir, check.Env = t.TempDir(), settings.Environ()
	effective := output(t, check)
	folder := path.Dir(settings["STATE_PATH"])
	writable := func(v core.VolumeMount) bool { return v.MountPath == folder && !v.ReadOnly }
	if !slices.ContainsFunc(c.VolumeMounts, writable) {
		t.Errorf("no volume for %s", settings["STATE_PATH"])
	}
	for _, name := range []string{"STATUS_PATH", "STATE_PATH", "PAGE_PORT", "TCP_HOLD_PORT"} {
		if !regexp.MustCompile(`(?m)^` + name + ` +` + regexp.QuoteMeta(settings[name]) + ` `).MatchString(effective) {
			t.Errorf("%s is not %s:\n%s", name, settings[name], effective)
		}
	}
	if strings.Contains(effective, "notice:") {
		t.Errorf("notices:\n%s", effective)
	}
	ports := map[string]int32{}
	for _, p := range c.Ports {
		ports[p.Name] = p.ContainerPort
	}
	for name, variable := range map[string]string{
		"http": "HTTP_PORT", "page": "PAGE_PORT", "agent": "TCP_PORT", "agent-hold": "TCP_HOLD_PORT",
	} {
		line := regexp.MustCompile(`(?m)^` + variable + ` +(\d+) `).FindStringSubmatch(effective)
		if line == nil || strconv.Itoa(int(ports[name])) != line[1] {
			t.Errorf("port %s is %d, and %s is %v", name, ports[name], variable, line)
		}
	}
}

// TestKubernetesReferences checks that selectors and port names of the other resources match the pods.
func TestKubernetesReferences(t *testing.T) {
	t.Parallel()
	m := loadManifests(t)
	ports, numbers, labels := map[string]int32{}, []int32{}, m.shard.Spec.Template.Labels
	for _, c := range append(m.shard.Spec.Template.Spec.Containers, m.sidecar(t)) {
		for _, p := range c.Ports {
			ports[p.Name] = p.ContainerPort
			numbers = append(numbers, p.ContainerPort)
		}
	}
	matches := func(what string, selector map[string]string) {
		t.Helper()
		for key, value := range selector {
			if labels[key] != value {
				t.Errorf("%s selects %s=%s; the pods have %v", what, key, value, labels)
			}
		}
		if len(selector) == 0 {
			t.Errorf("%s selects everything", what)
		}
	}
	matches("the StatefulSet", m.shard.Spec.Selector.MatchLabels)
	matches("the Service", m.service.Spec.Selector)
	matches("the NetworkPolicy", m.policy.Spec.PodSelector.MatchLabels)
	matches("the PodDisruptionBudget", m.budget.Spec.Selector.MatchLabels)
	matches("the spread over nodes", m.shard.Spec.Template.Spec.TopologySpreadConstraints[0].LabelSelector.MatchLabels)
	matches("the PodMonitor", m.monitor.Spec.Selector.MatchLabels)
	if m.service.Name != m.shard.Spec.ServiceName || m.service.Spec.ClusterIP != core.ClusterIPNone {
		t.Errorf("Service %s with address %q", m.service.Name, m.service.Spec.ClusterIP)
	}
	for _, p := range m.service.Spec.Ports {
		if ports[p.Name] != p.Port || p.TargetPort.StrVal != "" {
			t.Errorf("the Service has %s at %d, the pod at %d", p.Name, p.Port, ports[p.Name])
		}
	}
	for _, rule := range m.policy.Spec.Ingress {
		for _, p := range rule.Ports {
			if !slices.Contains(numbers, p.Port.IntVal) {
				t.Errorf("the NetworkPolicy opens port %s, which no container has", p.Port)
			}
		}
		if len(rule.From) == 0 || len(rule.Ports) == 0 {
			t.Errorf("the NetworkPolicy opens %+v", rule)
		}
	}
	endpoint := m.monitor.Spec.PodMetricsEndpoints[0]
	if ports[*endpoint.Port] != 6000 {
		t.Errorf("the PodMonitor scrapes %s", *endpoint.Port)
	}
	set := map[string]bool{}
	for _, r := range endpoint.RelabelConfigs {
		set[r.TargetLabel] = true
	}
	if !set["job"] || !set["shard"] || !set["environment"] || !set["region"] {
		t.Errorf("the PodMonitor sets %v", set)
	}
	if n := len(m.rules.Spec.Groups); n < 2 {
		t.Errorf("the PrometheusRule has %d groups", n)
	}
}

// TestKubernetesHAProxy checks the configuration in the page with HAProxy.
func TestKubernetesHAProxy(t *testing.T) {
	t.Parallel()
	page := testbed.Contents("../docs/kubernetes.md")
	backend := regexp.MustCompile("(?s)```\n(resolvers .*?)```").FindStringSubmatch(page)
	if backend == nil {
		t.Fatal("the page has no configuration of HAProxy")
	}
	file := filepath.Join(t.TempDir(), "haproxy.cfg")
	testbed.Must(t, os.WriteFile(file, []byte("defaults\n  mode http\n  timeout connect 1s\n  timeout client 1m\n"+
		"  timeout server 1m\n\nfrontend users\n  bind 127.0.0.1:8080\n  default_backend signal\n\n"+backend[1]), 0o600))
	output(t, exec.Command(testbed.Component(t, "haproxy"), "-c", "-f", file))
}
