// Package prometheus_test checks the files of this folder that operators copy: the scrape configuration, the rules and
// their tests. It also checks the runbook to which the alerts link.
package prometheus_test

import (
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/goccy/go-yaml"

	"github.com/signal-sidecar/signal-sidecar/health"
	"github.com/signal-sidecar/signal-sidecar/testbed"
)

// runbookURL is the address of docs/runbook.md; the name of a section follows.
const runbookURL = "https://github.com/signal-sidecar/signal-sidecar/blob/main/docs/runbook.md#"

// rule is a recording rule (Record) or an alert (Alert).
type rule struct {
	Record, Alert, Expr string
	Labels, Annotations map[string]string
}

// rules returns the rules of all files in rules/.
func rules(t *testing.T) (all []rule) {
	t.Helper()
	for _, path := range glob(t, "rules/*.yml") {
		var file struct{ Groups []struct{ Rules []rule } }
		read(t, path, &file)
		for _, group := range file.Groups {
			all = append(all, group.Rules...)
		}
	}
	return all
}

func alerts(t *testing.T) []rule {
	return slices.DeleteFunc(rules(t), func(r rule) bool { return r.Alert == "" })
}

func glob(t *testing.T, pattern string) []string {
	t.Helper()
	paths, err := filepath.Glob(pattern)
	if err != nil || len(paths) == 0 {
		t.Fatalf("%s: no files: %v", pattern, err)
	}
	return paths
}

func read(t *testing.T, path string, into any) {
	t.Helper()
	if err := yaml.Unmarshal([]byte(contents(t, path)), into); err != nil {
		t.Fatalf("%s: %v", path, err)
	}
}

func contents(t *testing.T, path string) string {
	t.Helper()
	content, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(content)
}

// promtool runs promtool of the real Prometheus.
func promtool(t *testing.T, arguments ...string) {
	t.Helper()
	path := testbed.Component(t, "promtool")
	out, err := exec.Command(path, arguments...).CombinedOutput()
	if err != nil {
		t.Errorf("promtool %s: %v\n%s", strings.Join(arguments, " "), err, out)
	}
}

func TestPromtool(t *testing.T) {
	t.Parallel()
	t.Run("check config", func(t *testing.T) { t.Parallel(); promtool(t, "check", "config", "prometheus.yml") })
	t.Run("check rules", func(t *testing.T) {
		t.Parallel()
		promtool(t, append([]string{"check", "rules", "--lint-fatal"}, glob(t, "rules/*.yml")...)...)
	})
	for _, file := range glob(t, "tests/*.yml") {
		t.Run("test rules "+filepath.Base(file), func(t *testing.T) { t.Parallel(); promtool(t, "test", "rules", file) })
	}
}

// ruleTests returns the files of promtool test rules. It reads only the fields that matter here.
func ruleTests(t *testing.T) (all []ruleTest) {
	t.Helper()
	for _, path := range glob(t, "tests/*.yml") {
		var file struct{ Tests []ruleTest }
		read(t, path, &file)
		all = append(all, file.Tests...)
	}
	return all
}

type ruleTest struct {
	Alerts []struct {
		Time     string `yaml:"eval_time"`
		Name     string `yaml:"alertname"`
		Expected []any  `yaml:"exp_alerts"`
	} `yaml:"alert_rule_test"`
	Expressions []struct{ Expr string } `yaml:"promql_expr_test"`
}

// TestEveryAlertIsTested checks that each alert has a test in which it is quiet, fires and resolves, in this order.
// promtool runs the tests.
func TestEveryAlertIsTested(t *testing.T) {
	t.Parallel()
	seen := map[string]string{}
	for _, test := range ruleTests(t) {
		course := map[string]string{}
		for _, at := range test.Alerts {
			step := "fires"
			if len(at.Expected) == 0 {
				step = "quiet"
			}
			course[at.Name] += " " + step
		}
		for name, steps := range course {
			seen[name] += steps + ";"
		}
	}
	names := map[string]bool{}
	for _, a := range alerts(t) {
		names[a.Alert] = true
		if !strings.Contains(seen[a.Alert], "quiet fires quiet") {
			t.Errorf("%s is nowhere tested to be quiet, to fire and to resolve:%s", a.Alert, seen[a.Alert])
		}
	}
	for name := range seen {
		if !names[name] {
			t.Errorf("a test of %s, which is no alert", name)
		}
	}
}

// TestEveryRecordingIsTested checks that each recorded series occurs in an expression test.
func TestEveryRecordingIsTested(t *testing.T) {
	t.Parallel()
	var tested strings.Builder
	for _, test := range ruleTests(t) {
		for _, e := range test.Expressions {
			fmt.Fprintln(&tested, e.Expr)
		}
	}
	for _, r := range rules(t) {
		if r.Record != "" && !regexp.MustCompile(regexp.QuoteMeta(r.Record)+`\b`).MatchString(tested.String()) {
			t.Errorf("%s is nowhere tested", r.Record)
		}
	}
}

// TestAlertsAreComplete checks labels, annotations, and the sections of the runbook, which all have the same parts.
func TestAlertsAreComplete(t *testing.T) {
	t.Parallel()
	sections := map[string]string{}
	for _, section := range strings.Split(contents(t, "../../docs/runbook.md"), "\n## ")[1:] {
		title, text, _ := strings.Cut(section, "\n")
		sections[title] = text
	}
	for _, a := range alerts(t) {
		for _, name := range []string{"summary", "description"} {
			if a.Annotations[name] == "" {
				t.Errorf("%s has no %s", a.Alert, name)
			}
		}
		if want := runbookURL + strings.ToLower(a.Alert); a.Annotations["runbook_url"] != want {
			t.Errorf("%s: runbook_url is %q, want %q", a.Alert, a.Annotations["runbook_url"], want)
		}
		severity := a.Labels["severity"]
		if !slices.Contains([]string{"critical", "warning", "info"}, severity) {
			t.Errorf("%s: severity %q", a.Alert, severity)
		}
		section, ok := sections[a.Alert]
		for _, part := range []string{"*" + severity + ".*", "**Users:**", "**First look:**", "**Ends by itself**"} {
			if !strings.Contains(section, part) {
				t.Errorf("docs/runbook.md, %s (there: %t): no %s", a.Alert, ok, part)
			}
		}
		delete(sections, a.Alert)
	}
	for title := range maps.Keys(sections) {
		if strings.HasPrefix(title, "Signal") {
			t.Errorf("docs/runbook.md: section %s for no alert", title)
		}
	}
}

// These find the names in an expression, after strings and label lists are removed.
var (
	quoted     = regexp.MustCompile(`"(?:[^"\\]|\\.)*"`)
	braces     = regexp.MustCompile(`\{[^}]*\}`)
	labelList  = regexp.MustCompile(`\b(?:by|without|on|ignoring|group_left|group_right)\s*\([^)]*\)`)
	identifier = regexp.MustCompile(`[a-zA-Z_:][a-zA-Z0-9_:]*\s*\(?`)
	keywords   = []string{"and", "or", "unless", "bool", "offset"}
)

// metricsOf returns the names of the metrics in an expression.
func metricsOf(expression string) (names []string) {
	for _, noise := range []*regexp.Regexp{quoted, braces, labelList, regexp.MustCompile(`\[[^]]*\]`),
		regexp.MustCompile(`\b[0-9][0-9a-z.]*`)} {
		expression = noise.ReplaceAllString(expression, " ")
	}
	for _, word := range identifier.FindAllString(expression, -1) {
		name := strings.TrimSpace(word)
		if !strings.HasSuffix(name, "(") && !slices.Contains(keywords, name) &&
			!regexp.MustCompile(`^(sum|min|max|count|avg)$`).MatchString(name) {
			names = append(names, name)
		}
	}
	return names
}

// TestMetricsExist compares the rules with docs/metrics.md, which is generated from a scrape that has every metric.
func TestMetricsExist(t *testing.T) {
	t.Parallel()
	known := map[string]bool{"up": true, "haproxy_server_status": true}
	for _, row := range regexp.MustCompile(`(?m)^\| ([a-z_]+) \| (\w+) \|`).FindAllStringSubmatch(
		contents(t, "../../docs/metrics.md"), -1) {
		known[row[1]] = true
		if row[2] == "histogram" {
			known[row[1]+"_bucket"], known[row[1]+"_sum"], known[row[1]+"_count"] = true, true, true
		}
	}
	for _, r := range rules(t) {
		known[r.Record] = true
	}
	used := map[string]bool{}
	for _, r := range rules(t) {
		names := metricsOf(r.Expr)
		if len(names) == 0 {
			t.Errorf("%s%s names no metric: %s", r.Record, r.Alert, r.Expr)
		}
		for _, name := range names {
			used[name] = true
			if !known[name] {
				t.Errorf("%s%s: there is no metric %s", r.Record, r.Alert, name)
			}
		}
	}
	for _, r := range rules(t) {
		if strings.HasPrefix(r.Record, "shard:") && !used[r.Record] &&
			r.Record != "shard:signal_probe_duration_seconds:p50_rate5m" {
			t.Errorf("%s is used by no rule", r.Record)
		}
	}
}

// TestLabelValuesExist checks that the product has every code and status that a rule selects.
func TestLabelValuesExist(t *testing.T) {
	t.Parallel()
	values := map[string][]string{}
	for _, code := range health.Codes {
		values["code"] = append(values["code"], string(code))
	}
	for _, status := range health.Statuses {
		values["status"] = append(values["status"], string(status))
	}
	values["outcome"] = []string{"ok", string(health.FailureLocal)}
	values["result"] = []string{"exported", "lost"}
	values["probe"] = []string{"jicofo_health", "jicofo_stats", "prosody"}
	values["state"] = []string{"UP", "DRAIN", "MAINT", "DOWN"}
	values["job"] = []string{"signal-sidecar"}
	matcher := regexp.MustCompile(`(\w+)(?:=~|!=|=)"([^"]*)"`)
	for _, r := range rules(t) {
		for _, m := range matcher.FindAllStringSubmatch(r.Expr, -1) {
			for _, one := range strings.Split(m[2], "|") {
				fits := regexp.MustCompile("^(?:" + one + ")$").MatchString
				if !slices.ContainsFunc(values[m[1]], fits) {
					t.Errorf("%s%s: %s is never %q", r.Record, r.Alert, m[1], one)
				}
			}
		}
	}
}

// TestLabelsSurvive checks that the rules distinguish shards by labels that every scrape has, and keep these labels.
func TestLabelsSurvive(t *testing.T) {
	t.Parallel()
	for _, r := range rules(t) {
		if strings.HasPrefix(r.Record, "shard:") && !strings.Contains(r.Expr, "by (job, environment, region, shard") {
			t.Errorf("%s loses labels of the shard: %s", r.Record, r.Expr)
		}
		if strings.Contains(r.Expr, "without (") {
			t.Errorf("%s%s keeps labels that come and go: %s", r.Record, r.Alert, r.Expr)
		}
	}
}

// TestTargetsAreLabelled checks that each sidecar has the labels that the rules need, and that HAProxy has the
// environment of its shards.
func TestTargetsAreLabelled(t *testing.T) {
	t.Parallel()
	var config struct {
		Jobs []struct {
			Name   string `yaml:"job_name"`
			Static []struct {
				Targets []string
				Labels  map[string]string
			} `yaml:"static_configs"`
		} `yaml:"scrape_configs"`
	}
	read(t, "prometheus.yml", &config)
	environments := map[string]map[string]bool{"signal-sidecar": {}, "haproxy": {}}
	shards := map[string]bool{}
	for _, job := range config.Jobs {
		for _, static := range job.Static {
			if of := environments[job.Name]; of != nil {
				of[static.Labels["environment"]] = true
			}
			if job.Name != "signal-sidecar" {
				continue
			}
			shard := static.Labels["shard"]
			if len(static.Targets) != 1 || shard == "" || shards[shard] || static.Labels["environment"] == "" ||
				static.Labels["region"] == "" {
				t.Errorf("targets %q with labels %v", static.Targets, static.Labels)
			}
			shards[shard] = true
		}
	}
	if len(shards) == 0 || !maps.Equal(environments["signal-sidecar"], environments["haproxy"]) {
		t.Errorf("%d shards, environments %v", len(shards), environments)
	}
}
