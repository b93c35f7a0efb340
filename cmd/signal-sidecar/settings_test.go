package main_test

import (
	"maps"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// setting is a row of the table in spec section 1: a variable, its default, and three other accepted values.
type setting struct {
	name     string
	initial  string
	accepted [3]string
}

var settings = []setting{
	{"HTTP_PORT", "6000", [3]string{"0", "6001", "65535"}},
	{"HTTP_ADDR", "", [3]string{"127.0.0.1", "::1", "localhost"}},
	{"PAGE_PORT", "off", [3]string{"0", "6002", "OFF"}},
	{"TCP_PORT", "6060", [3]string{"0", "6061", "65534"}},
	{"TCP_ADDR", "", [3]string{"127.0.0.1", "::1", "localhost"}},
	{"METRICS", "true", [3]string{"no", "YES", "Off"}},
	{"AGENT_DESCRIPTION", "false", [3]string{"yes", "T", "1"}},
	{"TCP_HOLD_PORT", "off", [3]string{"0", "6062", "OFF"}},
	{"AGENT_HOLD", "5", [3]string{"0.5", "10s", "7"}},
	{"JICOFO_ORIG", "http://localhost:8888", [3]string{"https://jicofo", "http://[::1]:8888", "http://jicofo:80/base"}},
	{"PROSODY_ORIG", "http://localhost:5280", [3]string{"https://prosody", "http://127.0.0.1:5280", "HTTP://prosody:1/"}},
	{"STATUS_PATH", "/etc/jitsi/shard-status", [3]string{"/a", "b", "/a folder/status"}},
	{"POLLING_INTERVAL", "5", [3]string{"0.25", "1500ms", "1m"}},
	{"RECOVERY_POLLING_INTERVAL", "1", [3]string{"0.25", "1500ms", "1m"}},
	{"PROBE_TIMEOUT", "3", [3]string{"0.25", "1500ms", "1m"}},
	{"PROBE_RETRIES", "2", [3]string{"0", "1", "100"}},
	{"UNREACHABLE_TOLERANCE", "0", [3]string{"1.5", "2s", "1m"}},
	{"PARTICIPANT_MAX", "5000", [3]string{"1", "100", "1000000000"}},
	{"WEIGHT_PARTICIPANTS", "false", [3]string{"t", "Y", "1"}},
	{"CENSUS_POLL", "false", [3]string{"T", "yes", "ON"}},
	{"CENSUS_HOST", "", [3]string{"meet.example.com", "10.0.0.1:5280", "::1"}},
	{"HEALTH_DAMPENING_INTERVAL", "30", [3]string{"0", "1.5", "10s"}},
	{"DRAIN_GRACE_INTERVAL", "120", [3]string{"0", "60.5", "2m"}},
	{"DRAIN_GRACE_SCOPE", "jicofo", [3]string{"soft", "SOFT", "Jicofo"}},
	{"JICOFO_DUMP", "", [3]string{"/usr/bin/dump", "/usr/bin/dump jicofo", "dump -a"}},
	{"PROSODY_DUMP", "", [3]string{"/usr/bin/dump", "/usr/bin/dump prosody", "dump -a"}},
	{"RECORD_PATH", "", [3]string{"/a", "b", "/a folder/recording"}},
	{"RECORD_MAX_SIZE", "67108864", [3]string{"65536", "1000000", "1099511627776"}},
	{"TRACE_KEEP", "all", [3]string{"incidents", "INCIDENTS", "All"}},
	{"TRACE_URL_TEMPLATE", "", [3]string{
		"http://localhost:16686/trace/{trace_id}", "https://tempo/explore?left=%7B%22{trace_id}%22%7D",
		"http://[::1]/#{trace_id}"}},
	{"LOG_LEVEL", "info", [3]string{"debug", "Warn", "ERROR"}},
	{"LOG_FORMAT", "json", [3]string{"text", "TEXT", "Json"}},
	{"CONSUL_HOST", "localhost", [3]string{"consul", "::1", "10.0.0.1"}},
	{"CONSUL_PORT", "8500", [3]string{"0", "8501", "65535"}},
	{"CONSUL_SECURE", "false", [3]string{"true", "f", "1"}},
	{"CONSUL_STATUS", "false", [3]string{"no", "Off", "0"}},
	{"CONSUL_STATUS_KEY", "shard-state", [3]string{"a", "shard-states/env/shard", "b c"}},
	{"CONSUL_REPORTS", "false", [3]string{"no", "Off", "0"}},
	{"CONSUL_REPORT_KEY", "shard-report", [3]string{"a", "signal-report/env/shard", "b c"}},
	{"CONSUL_REPORTS_INTERVAL", "60", [3]string{"0.5", "10s", "1m"}},
	{"CENSUS_REPORTS", "false", [3]string{"true", "f", "1"}},
}

// flagOf returns the flag of a variable.
func flagOf(name string) string { return "--" + strings.ToLower(strings.ReplaceAll(name, "_", "-")) }

// choose gives every setting its accepted value with that index.
func choose(number int) vars {
	all := vars{}
	for _, s := range settings {
		all[s.name] = s.accepted[number]
	}
	return all
}

// asFlags returns the variables as flags.
func asFlags(v vars) (all []string) {
	for _, name := range slices.Sorted(maps.Keys(v)) {
		all = append(all, flagOf(name)+"="+v[name])
	}
	return all
}

// asFile returns the variables as an env file.
func asFile(v vars) string {
	var b strings.Builder
	for _, name := range slices.Sorted(maps.Keys(v)) {
		b.WriteString(name + "='" + v[name] + "'\n")
	}
	return b.String()
}

// shown is a setting's value and origin in a line of check-config.
type shown struct{ value, origin string }

var shownLine = regexp.MustCompile(`(?m)^([A-Z_0-9]+) +(.*?) *\(([^()]*)\)$`)

// checkConfig runs check-config, which must accept the settings. It returns the settings and the notices of the output.
func checkConfig(t *testing.T, folder string, v vars, flags ...string) (all map[string]shown, notices []string) {
	t.Helper()
	r := runIn(t, folder, v, append([]string{"check-config"}, flags...)...)
	if r.code != 0 || r.stderr != "" {
		t.Fatalf("check-config: exit %d, %s", r.code, r.stderr)
	}
	all = map[string]shown{}
	for _, m := range shownLine.FindAllStringSubmatch(r.stdout, -1) {
		all[m[1]] = shown{m[2], m[3]}
	}
	for line := range strings.Lines(r.stdout) {
		if notice, ok := strings.CutPrefix(line, "notice: "); ok {
			notices = append(notices, strings.TrimSpace(notice))
		}
	}
	return all, notices
}

func TestEverySettingIsInHelp(t *testing.T) {
	t.Parallel()
	for _, args := range [][]string{
		{"--help"}, {"-h"}, {"serve", "--help"}, {"demo", "--help"}, {"check-config", "--help"},
	} {
		r := run(t, nil, args...)
		if r.code != 0 || r.stderr != "" {
			t.Fatalf("%v: exit %d, %s", args, r.code, r.stderr)
		}
		help := strings.Join(strings.Fields(r.stdout), " ")
		for _, s := range settings {
			if !strings.Contains(help, " "+flagOf(s.name)) {
				t.Errorf("%v does not name %s", args, flagOf(s.name))
			}
			text := " " + s.name + " "
			if s.initial != "" {
				text += "[" + s.initial + "]"
			}
			if !strings.Contains(help+" ", text) {
				t.Errorf("%v does not say%q", args, text)
			}
		}
	}
}

func TestCheckConfigShowsEverySetting(t *testing.T) {
	t.Parallel()
	want := map[string]shown{"ENV_FILE": {".env", "default"}}
	for _, s := range settings {
		want[s.name] = shown{s.initial, "default"}
	}
	got, notices := checkConfig(t, t.TempDir(), nil)
	if !maps.Equal(got, want) {
		t.Errorf("check-config shows\n%v\nwant\n%v", got, want)
	}
	if len(notices) > 0 {
		t.Errorf("notices about the defaults: %q", notices)
	}
}

func TestVersion(t *testing.T) {
	t.Parallel()
	for _, args := range [][]string{{"version"}, {"--version"}, {"serve", "--version"}, {"--http-port=x", "--version"}} {
		r := run(t, vars{"TCP_PORT": "x", "ENV_FILE": "/nonexistent"}, args...)
		if r.code != 0 || r.stderr != "" ||
			!regexp.MustCompile(`^signal-sidecar \S+ \(revision .+, go1\.\S+\)\n$`).MatchString(r.stdout) {
			t.Errorf("%q: exit %d, %q %q", args, r.code, r.stdout, r.stderr)
		}
	}
}

func TestBadCommandLines(t *testing.T) {
	t.Parallel()
	for _, args := range [][]string{ // the error must name the first word
		{"--no-such-flag"},
		{"--http-ports", "1"},
		{"-x"},
		{"no-such-command"},
		{"many", "check-config"},
		{"--http-port"},
	} {
		r := run(t, nil, args...)
		if r.code != 2 || r.stdout != "" || len(r.problems()) != 1 || !strings.Contains(r.stderr, args[0]) {
			t.Errorf("%q: exit %d, standard output %q, standard error %q", args, r.code, r.stdout, r.stderr)
		}
	}
}
