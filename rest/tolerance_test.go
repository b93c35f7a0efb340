package rest

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/signal-sidecar/signal-sidecar/health"
	"github.com/signal-sidecar/signal-sidecar/history"
)

// TestTolerated checks that the page shows a tolerated service, and that its explanation fits the description.
func TestTolerated(t *testing.T) {
	n := &node{health.NewMonitor(health.Config{
		ParticipantMax: 5000, DrainGraceScope: health.ScopeJicofo, UnreachableTolerance: 2 * time.Second,
	})}
	n.enter(t, "up")
	n.observe(prosody(refused))
	p := &page{source: n, history: history.New()}
	parts := string(p.render(0).parts)
	for _, want := range []string{`class="up"`, "<strong>prosody does not accept connections at localhost:5280</strong> <span>tolerated for",
		"until 2 Jan 2026 03:04:07 UTC", "<span>Down in</span>"} {
		if !strings.Contains(parts, want) {
			t.Errorf("the page does not hold %q:\n%.2000s", want, parts)
		}
	}
	text, err := json.Marshal(n.Current().Explain())
	if err != nil || !strings.Contains(string(text), `"tolerated":[{"service":"prosody"`) {
		t.Fatalf("explained %s, %v", text, err)
	}
	value, err := jsonschema.UnmarshalJSON(strings.NewReader(string(text)))
	if err != nil {
		t.Fatal(err)
	}
	readDescription(t).validate(t, "#/components/schemas/Explanation", value)
}
