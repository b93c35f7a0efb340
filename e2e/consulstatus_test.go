package e2e

import (
	"encoding/json"
	"fmt"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/signal-sidecar/signal-sidecar/testbed"
)

// TestConsulStatus changes the wanted state 40 times. The agent's reply follows each change.
func TestConsulStatus(t *testing.T) {
	t.Parallel()
	c := startConsul(t, consulOptions{})
	s := startFollower(t, c, "prod-1", nil)
	var took []time.Duration
	for i := range 40 {
		word, line := "ready", "up ready 100%"
		if i%2 > 0 {
			word, line = "drain", "up drain 0%"
		}
		began := time.Now()
		c.put(t, stateKey+"prod-1", word)
		s.Becomes(t, line)
		took = append(took, time.Since(began))
	}
	slices.Sort(took)
	t.Logf("from the put to the agent's reply: median %s, longest %s", took[len(took)/2], took[len(took)-1])

	// A local edit holds until the key changes; a value that is no state changes nothing.
	s.Say(t, "ready")
	s.Becomes(t, "up ready 100%")
	c.put(t, stateKey+"prod-1", "drained")
	s.fails(t, "value")
	s.Becomes(t, "up ready 100%")
	c.put(t, stateKey+"prod-1", "MAINT\n")
	s.Becomes(t, "up maint 0%")
	c.delete(t, stateKey+"prod-1")
	c.put(t, stateKey+"prod-1", "ready")
	s.Becomes(t, "up ready 100%")
}

// TestConsulReport checks what is published.
func TestConsulReport(t *testing.T) {
	t.Parallel()
	c := startConsul(t, consulOptions{})
	c.put(t, stateKey+"prod-1", "ready")
	s := startFollower(t, c, "prod-1", vars{"CENSUS_POLL": "true", "CENSUS_HOST": "meet.example.com", "CENSUS_REPORTS": "true"})
	s.Becomes(t, "up ready 100%")
	report := s.published(t, c, "prod-1", "up ready 100%")
	_, text := testbed.Get("http://" + s.HTTP + "/signal/report")
	var served map[string]any
	testbed.Must(t, json.Unmarshal([]byte(text), &served))
	for key, value := range served {
		got := report[key]
		if _, isObject := value.(map[string]any); isObject {
			if fmt.Sprint(keysOf(got)) != fmt.Sprint(keysOf(value)) {
				t.Errorf("%s: published keys %v, served keys %v", key, keysOf(got), keysOf(value))
			}
		} else if _, exists := report[key]; !exists {
			t.Errorf("%s is not published", key)
		}
	}
	testbed.Eventually(t, "three rooms in the published report", bound, func() bool {
		report = s.published(t, c, "prod-1", "up ready 100%")
		rooms, _ := report["census"].([]any)
		if len(rooms) != 3 {
			s.Say(t, "drain") // a change of the verdict publishes again
			s.published(t, c, "prod-1", "up drain 0%")
			s.Say(t, "ready")
		}
		return len(rooms) == 3
	})
	s.jicofo("code 500")
	if down := s.published(t, c, "prod-1", "down ready 100%"); down["healthy"] != false {
		t.Errorf("published healthy %v while down", down["healthy"])
	}
}

// keysOf returns the sorted keys of an object.
func keysOf(object any) (keys []string) {
	members, _ := object.(map[string]any)
	for key := range members {
		keys = append(keys, key)
	}
	slices.Sort(keys)
	return keys
}

// TestConsulOutage stops, continues, kills and restarts Consul. The agent's reply never depends on it, and the shard
// follows again afterwards.
func TestConsulOutage(t *testing.T) {
	t.Parallel()
	c := startConsul(t, consulOptions{data: t.TempDir()})
	s := startFollower(t, c, "prod-1", nil)
	c.put(t, stateKey+"prod-1", "ready")
	s.Becomes(t, "up ready 100%")

	c.Signal(t, syscall.SIGSTOP)
	s.Say(t, "drain")
	s.Becomes(t, "up drain 0%")
	c.Signal(t, syscall.SIGCONT)
	s.published(t, c, "prod-1", "up drain 0%")
	c.put(t, stateKey+"prod-1", "maint")
	s.Becomes(t, "up maint 0%")

	_, _ = c.Stop(t, syscall.SIGKILL)
	s.fails(t, "unreachable")
	s.Say(t, "ready")
	s.Becomes(t, "up ready 100%")
	c.start(t, "")
	s.published(t, c, "prod-1", "up ready 100%")
	s.Becomes(t, "up ready 100%") // the old value is not new
	c.put(t, stateKey+"prod-1", "drain")
	s.Becomes(t, "up drain 0%")
}

// TestConsulIndexGoesBackwards restarts a Consul that keeps nothing: its indexes begin again.
func TestConsulIndexGoesBackwards(t *testing.T) {
	t.Parallel()
	c := startConsul(t, consulOptions{})
	s := startFollower(t, c, "prod-1", vars{"CONSUL_REPORTS_INTERVAL": "1"}) // when a lost report is put again
	for i := range 50 {
		c.put(t, "filler", fmt.Sprint(i))
	}
	c.put(t, stateKey+"prod-1", "ready")
	s.Becomes(t, "up ready 100%")
	_, _ = c.Stop(t, syscall.SIGKILL)
	c.start(t, "")
	c.put(t, stateKey+"prod-1", "drain")
	s.Becomes(t, "up drain 0%")
	c.put(t, stateKey+"prod-1", "ready")
	s.Becomes(t, "up ready 100%")
	s.published(t, c, "prod-1", "up ready 100%")
}

// TestConsulRetirement deletes both keys of a shard in both orders, while the sidecar publishes. The report's key does
// not come back, until the shard has a wanted state again.
func TestConsulRetirement(t *testing.T) {
	t.Parallel()
	c := startConsul(t, consulOptions{})
	for _, tt := range []struct {
		name string
		keys []string
	}{
		{"prod-1", []string{reportKey, stateKey}},
		{"prod-2", []string{stateKey, reportKey}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := startFollower(t, c, tt.name, vars{"CONSUL_REPORTS_INTERVAL": "1"})
			c.put(t, stateKey+tt.name, "ready")
			s.Becomes(t, "up ready 100%")
			s.published(t, c, tt.name, "up ready 100%")
			for _, key := range tt.keys {
				c.delete(t, key+tt.name)
			}
			end := time.Now().Add(3 * time.Second) // three intervals
			for i := 0; time.Now().Before(end); i++ {
				word, line := "ready", "up ready 100%"
				if i%2 == 0 {
					word, line = "drain", "up drain 0%"
				}
				s.Say(t, word)
				s.Becomes(t, line)
				if report := c.value(t, reportKey+tt.name); report != "" {
					t.Fatalf("after the deletion of %q, the report is there again: %s", tt.keys, report)
				}
			}
			c.put(t, stateKey+tt.name, "maint")
			s.published(t, c, tt.name, "up maint 0%")
		})
	}
}

const aclConfig = `
acl {
  enabled = true
  default_policy = "deny"
  tokens { initial_management = %q }
}`

// policyOf returns the policy of docs/consul.md for the keys of a shard.
func policyOf(t *testing.T, shard string) string {
	t.Helper()
	block := regexp.MustCompile("(?s)```hcl\n(.*?)```").FindStringSubmatch(testbed.Contents("../docs/consul.md"))
	if block == nil {
		t.Fatal("docs/consul.md has no policy")
	}
	return strings.NewReplacer("shard-states/prod/shard1", stateKey+shard, "signal-report/prod/shard1", reportKey+shard).
		Replace(block[1])
}

// TestConsulACL denies a shard, allows it, and then changes its token.
func TestConsulACL(t *testing.T) {
	t.Parallel()
	const management = "6f2b1d8c-0f57-4a0e-9c1d-2f5a8c7e1b3d"
	c := startConsul(t, consulOptions{config: fmt.Sprintf(aclConfig, management), token: management})
	manage := func(method, path string, body any) string {
		t.Helper()
		text, err := json.Marshal(body)
		testbed.Must(t, err)
		return c.callAs(t, management, method, path, string(text))
	}
	manage(http.MethodPut, "/v1/acl/policy", map[string]any{"Name": "shard", "Rules": policyOf(t, "prod-1")})
	shards := []any{map[string]any{"Name": "shard"}}
	token := func(policies []any) (accessor, secret string) {
		t.Helper()
		var made struct{ AccessorID, SecretID string }
		testbed.Must(t, json.Unmarshal([]byte(manage(http.MethodPut, "/v1/acl/token",
			map[string]any{"Policies": policies})), &made))
		return made.AccessorID, made.SecretID
	}
	report := func() string {
		t.Helper()
		code, text, _, err := httpDo(t.Context(), http.MethodGet, c.origin+"/v1/kv/"+reportKey+"prod-1?raw", "", management)
		testbed.Must(t, err)
		if code != http.StatusOK {
			return ""
		}
		return text
	}
	c.callAs(t, management, http.MethodPut, "/v1/kv/"+stateKey+"prod-1", "ready")

	accessor, secret := token(nil)
	path := t.TempDir() + "/token"
	testbed.ReplaceFile(t, path, secret+"\n")
	s := startFollower(t, c, "prod-1", vars{"CONSUL_HTTP_TOKEN_FILE": path})
	s.fails(t, "denied")
	s.Becomes(t, "up drain 0%")
	if text := report(); text != "" {
		t.Errorf("a report was published without permission: %s", text)
	}

	manage(http.MethodPut, "/v1/acl/token/"+accessor, map[string]any{"Policies": shards})
	s.Becomes(t, "up ready 100%")
	testbed.Eventually(t, "the report", bound, func() bool { return strings.Contains(report(), "up ready 100%") })

	_, next := token(shards)
	testbed.ReplaceFile(t, path, next+"\n")
	manage(http.MethodDelete, "/v1/acl/token/"+accessor, nil)
	c.callAs(t, management, http.MethodPut, "/v1/kv/"+stateKey+"prod-1", "maint")
	s.Becomes(t, "up maint 0%")
	testbed.Eventually(t, "the report", bound, func() bool { return strings.Contains(report(), "up maint 0%") })
	if log := s.Stdout(); strings.Contains(log, secret) || strings.Contains(log, next) {
		t.Error("a token is in the log")
	}
}
