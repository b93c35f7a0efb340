package prometheus_test

import (
	"flag"
	"os"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write deploy/kubernetes/prometheusrule.yaml anew")

const (
	prometheusRulePath   = "../kubernetes/prometheusrule.yaml"
	prometheusRuleHeader = `# Generated from deploy/prometheus/rules: go test ./deploy/prometheus -run TestPrometheusRule -update
# Add the labels that the ruleSelector of your Prometheus wants.
apiVersion: monitoring.coreos.com/v1
kind: PrometheusRule
metadata:
  name: signal-sidecar
spec:
  groups:
`
)

// TestPrometheusRule checks that the PrometheusRule for Kubernetes has the groups of all rule files, and nothing else.
func TestPrometheusRule(t *testing.T) {
	t.Parallel()
	want := prometheusRuleHeader
	for _, path := range glob(t, "rules/*.yml") {
		_, groups, found := strings.Cut(contents(t, path), "\ngroups:\n")
		if !found {
			t.Fatalf("%s has no groups", path)
		}
		for line := range strings.Lines(groups) {
			if strings.TrimSpace(line) != "" {
				line = "  " + line
			}
			want += line
		}
	}
	if *update {
		if err := os.WriteFile(prometheusRulePath, []byte(want), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if contents(t, prometheusRulePath) != want {
		t.Errorf("%s differs from the rules; run this test with -update", prometheusRulePath)
	}
}
