package main_test

import (
	"os"
	"strings"
	"testing"

	"github.com/signal-sidecar/signal-sidecar/health"
	"github.com/signal-sidecar/signal-sidecar/signalnode"
	"github.com/signal-sidecar/signal-sidecar/testbed"
)

// maxShown is the length of a reply's text that HAProxy shows at most, in bytes.
const maxShown = 127

// shows waits until both backends have understood the shard's reply and show its description, cut at maxShown.
func (h *haproxy) shows(t *testing.T, s *shard, name, status, weight string, root health.Code) {
	t.Helper()
	h.expect(t, "first", status, weight)
	var words, description string
	var described bool
	// A poll may fall between two changes of a service, so that its reason is another one until the next poll.
	testbed.Eventually(t, name+": a reply with the root reason "+string(root), bound, func() bool {
		words, description, described = strings.Cut(s.line(), " #")
		return described == (root != "none") && (!described || strings.HasPrefix(description, string(root)+": "))
	})
	up, _, _ := strings.Cut(words, " ")
	want, understood := "via agent : "+up, map[string]string{"up": "L7OK", "down": "L7STS"}[up]
	if described {
		want += " (" + description + ")"
	}
	want = want[:min(len(want), maxShown)]
	for _, backend := range []string{"checked", "agent-only"} {
		shown := func() server { return h.view.of(backend + "/first") }
		defer func() {
			if t.Failed() {
				t.Logf("%s: %s/first is %+v", name, backend, shown())
			}
		}()
		testbed.Eventually(t, "HAProxy to show "+want, bound, func() bool {
			return shown().agentText == want && shown().agentStatus == understood
		})
	}
}

// TestHAProxyShowsReasons takes a shard through its states with AGENT_DESCRIPTION. HAProxy follows the words as without
// it, and shows the reason in its statistics and its log.
func TestHAProxyShowsReasons(t *testing.T) {
	t.Parallel()
	h, first, _ := startFleet(t, vars{"AGENT_DESCRIPTION": "true", "PARTICIPANT_MAX": "100"})
	first.SetLoad(10, 1)
	says := func(word string) func() { return func() { first.Say(t, word) } }
	loaded := func(participants int) func() { return func() { first.SetLoad(participants, 1) } }
	for _, step := range []struct {
		name           string
		do             func()
		status, weight string
		root           health.Code
	}{
		{"up", func() {}, "UP", "100", "none"},
		{"drain", says("drain"), "DRAIN (agent)", "0", health.ReasonStatusDrain},
		{"back", says("ready"), "UP", "100", "none"},
		{"maint", says("maint"), "MAINT", "0", health.ReasonStatusMaint},
		{"back from maint", says("ready"), "UP", "100", "none"},
		{"over the maximum", loaded(101), "DRAIN (agent)", "0", health.ReasonParticipantsMax},
		{"under the maximum", loaded(10), "UP", "100", "none"},
		{"jicofo is overloaded", func() { first.jicofo("code 503") }, "DOWN (agent)", "100", health.ReasonJicofoOverloaded},
		{"drain while down", says("drain"), "DOWN (agent)", "0", health.ReasonJicofoOverloaded},
		{"jicofo is back", func() { first.jicofo("healthy") }, "DRAIN (agent)", "0", health.ReasonStatusDrain},
		{"ready", says("ready"), "UP", "100", "none"},
		{"prosody sends garbage", func() {
			first.Prosody.Set("/http-bind", signalnode.MustParseBehavior("garbage"))
		}, "DOWN (agent)", "100", health.ReasonProsodyNoAnswer},
		{"prosody is back", func() { first.prosody("healthy") }, "UP", "100", "none"},
		{"unhealthy", says("unhealthy"), "DOWN (agent)", "0", health.ReasonStatusUnhealthy},
		{"back from unhealthy", says("ready"), "UP", "100", "none"},
		{"no file", func() {
			testbed.Must(t, os.Remove(first.StatusPath))
		}, "DOWN (agent)", "100", health.ReasonStatusFileMissing},
		{"a file again", says("ready"), "UP", "100", "none"},
	} {
		step.do()
		h.shows(t, first, step.name, step.status, step.weight, step.root)
	}
	if log := h.Stdout() + h.Stderr(); !strings.Contains(log,
		`info: "via agent : down (jicofo_overloaded: jicofo answered 503: Health check timed out, overloaded)"`) {
		t.Errorf("the log does not say why:\n%s", log)
	}
}

// TestHAProxyIsSentNothingOdd writes unusual content to the status file. HAProxy understands the words of each reply
// and shows the description.
func TestHAProxyIsSentNothingOdd(t *testing.T) {
	t.Parallel()
	h, first, _ := startFleet(t, vars{"AGENT_DESCRIPTION": "true"})
	everyByte := make([]byte, 256)
	for i := range everyByte {
		everyByte[i] = byte(i)
	}
	for i, content := range []string{
		"\x7fELF\x00\x01\x02\xff\xfe", "a\nup ready 100%\n", "a\r\nmaint", "a # b #c", `"quoted", 'so' and \so`,
		"a,b;c|d\te", "50% %s %d weight:7%",
		"dräin → 日本", "\x1b[31mred\x1b[0m", strings.Repeat("x", 4096),
		strings.Repeat("\x00", 4096), strings.Repeat("\U0010ffff", 1000),
		string(everyByte), string(everyByte[128:]), "",
	} {
		testbed.ReplaceFile(t, first.StatusPath, content)
		h.shows(t, first, content, "DRAIN (agent)", "100", health.ReasonStatusUnknown)
		first.Say(t, []string{"maint", "ready", "unhealthy"}[i%3])
		want := [][]string{{"MAINT", "0"}, {"UP", "100"}, {"DOWN (agent)", "0"}}[i%3]
		h.expect(t, "first", want[0], want[1])
	}
}
