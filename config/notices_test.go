package config

import (
	"strings"
	"testing"

	"github.com/signal-sidecar/signal-sidecar/testbed"
)

func TestParticipantMaxAlias(t *testing.T) {
	cases := []struct {
		name        string
		environment vars
		flags       []string
		want        shown
	}{
		{"alone", vars{"PARTIPANT_MAX": "100"}, nil, shown{"100", "PARTIPANT_MAX, environment"}},
		{"as a flag", nil, []string{"--partipant-max=100"}, shown{"100", "PARTIPANT_MAX, flag"}},
		{"same", vars{"PARTIPANT_MAX": "100", "PARTICIPANT_MAX": "100"}, nil, shown{"100", "PARTIPANT_MAX, environment"}},
		{"same as a flag", vars{"PARTIPANT_MAX": "5000"}, []string{"--participant-max=5000"},
			shown{"5000", "PARTIPANT_MAX, environment"}},
		{"proper alone", vars{"PARTICIPANT_MAX": "100"}, nil, shown{"100", "environment"}},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			got, notices := checkConfig(t, t.TempDir(), c.environment, c.flags...)
			if got["PARTICIPANT_MAX"] != c.want || len(notices) > 0 {
				t.Errorf("PARTICIPANT_MAX: %v, want %v; notices %q", got["PARTICIPANT_MAX"], c.want, notices)
			}
			if _, ok := got["PARTIPANT_MAX"]; ok {
				t.Error("the alias is shown as a setting of its own")
			}
		})
	}
	t.Run("different", func(t *testing.T) {
		expectProblems(t, t.TempDir(), vars{"PARTIPANT_MAX": "100", "PARTICIPANT_MAX": "200"}, nil,
			`PARTIPANT_MAX="100" (environment): must be the same as PARTICIPANT_MAX="200" (environment)`)
		expectProblems(t, t.TempDir(), vars{"PARTIPANT_MAX": "100"}, []string{"--participant-max=5000"},
			`PARTIPANT_MAX="100" (environment): must be the same as PARTICIPANT_MAX="5000" (flag)`)
	})
	t.Run("one bad", func(t *testing.T) {
		expectProblems(t, t.TempDir(), vars{"PARTIPANT_MAX": "x", "PARTICIPANT_MAX": "200"}, nil,
			`PARTIPANT_MAX="x" (environment): must be a`)
		expectProblems(t, t.TempDir(), vars{"PARTIPANT_MAX": "100", "PARTICIPANT_MAX": "y"}, nil,
			`PARTICIPANT_MAX="y" (environment): must be a`)
	})
	t.Run("in force", func(t *testing.T) {
		if c, _, err := load(t, t.TempDir(), vars{"PARTIPANT_MAX": "100"}); err != nil || c.Rules.ParticipantMax != 100 {
			t.Errorf("%v, %v", c.Rules.ParticipantMax, err)
		}
	})
}

// TestCensusHostMissing checks the notice for a census without a domain, to which prosody replies with 404.
func TestCensusHostMissing(t *testing.T) {
	for name, c := range map[string]struct {
		v      vars
		notice bool
	}{
		"no census":            {nil, false},
		"host without census":  {vars{"CENSUS_HOST": "meet.example.com"}, false},
		"census with its host": {vars{"CENSUS_POLL": "true", "CENSUS_HOST": "meet.example.com"}, false},
		"census without host":  {vars{"CENSUS_POLL": "true"}, true},
		"census, empty host":   {vars{"CENSUS_POLL": "1", "CENSUS_HOST": ""}, true},
	} {
		t.Run(name, func(t *testing.T) {
			_, notices := checkConfig(t, t.TempDir(), c.v)
			if !c.notice && len(notices) > 0 {
				t.Errorf("notices: %q", notices)
			}
			if c.notice && (len(notices) != 1 || !strings.Contains(notices[0], "CENSUS_HOST")) {
				t.Errorf("notices: %q", notices)
			}
		})
	}
}

func TestLegacyAgentPort(t *testing.T) {
	for name, c := range map[string]struct {
		v      vars
		notice bool
	}{
		"same":      {vars{"HA_PORT": "6060"}, false},
		"same port": {vars{"HA_PORT": "7070", "TCP_PORT": "7070"}, false},
		"different": {vars{"HA_PORT": "7070"}, true},
		"nonsense":  {vars{"HA_PORT": "x"}, true},
	} {
		t.Run(name, func(t *testing.T) {
			all, notices := checkConfig(t, t.TempDir(), c.v)
			if _, ok := all["HA_PORT"]; ok {
				t.Error("HA_PORT is shown as a setting")
			}
			if !c.notice && len(notices) > 0 {
				t.Errorf("notices: %q", notices)
			}
			if c.notice && (len(notices) != 1 ||
				!strings.Contains(notices[0], "HA_PORT="+c.v["HA_PORT"]) || !strings.Contains(notices[0], "TCP_PORT=6060")) {
				t.Errorf("notices: %q", notices)
			}
		})
	}
	folder := t.TempDir()
	testbed.Write(t, folder, ".env", "HA_PORT=7070\n")
	if _, notices := checkConfig(t, folder, nil); len(notices) != 1 {
		t.Errorf("HA_PORT in a file: notices %q", notices)
	}
}

func TestDrainGraceForced(t *testing.T) {
	for _, c := range []struct {
		dampening, grace, want string
		forced                 bool
	}{
		{"30", "120", "120", false},
		{"30", "31", "31", false},
		{"30", "30.001", "30.001", false},
		{"30", "30", "31s", true},
		{"30", "30s", "31s", true},
		{"30", "10", "31s", true},
		{"1.5", "1", "2.5s", true},
		{"121", "120", "2m2s", true},
		{"0", "10", "10", false},
		{"30", "0", "0", false},
		{"0", "0", "0", false},
	} {
		v := vars{"HEALTH_DAMPENING_INTERVAL": c.dampening, "DRAIN_GRACE_INTERVAL": c.grace}
		all, notices := checkConfig(t, t.TempDir(), v)
		origin := "environment"
		if c.forced {
			origin = "forced above HEALTH_DAMPENING_INTERVAL"
		}
		if got := all["DRAIN_GRACE_INTERVAL"]; got != (shown{c.want, origin}) {
			t.Errorf("dampening %s, grace %s: %v", c.dampening, c.grace, got)
		}
		warned := len(notices) == 1 &&
			strings.Contains(notices[0], "DRAIN_GRACE_INTERVAL") && strings.Contains(notices[0], c.want)
		if c.forced != warned || !c.forced && len(notices) > 0 {
			t.Errorf("dampening %s, grace %s: notices %q", c.dampening, c.grace, notices)
		}
	}
}
