package fleet

import (
	"encoding/json"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/signal-sidecar/signal-sidecar/health"
)

// FuzzHostileFleet checks that no report, wanted state, audit, service or statistics of HAProxy stops the view of the
// fleet: each is a row that is valid JSON and contains no control character, or an error.
func FuzzHostileFleet(f *testing.F) {
	f.Add([]byte(fresh("up", "ready", 3)), []byte(`{"by":"alice","time":"2026-01-02T03:04:05Z"}`), []byte(statistics26), "ready")
	f.Add([]byte("null"), []byte("null"), []byte(statistics3), "\x1b[2J")
	f.Add([]byte(`{"stats":{"jicofoParticipants":1e400}}`), []byte(`{"time":"9999-99-99"}`),
		[]byte("# pxname,svname\n\""), "")
	f.Fuzz(func(t *testing.T, value, audit, csv []byte, text string) {
		n := name{"prod", "s1"}
		c := &contents{
			states: map[name]state{n: {text, 1}}, reports: map[name]*report{n: parseReport(value, 2)},
			audits: map[name]*Audit{n: parseAudit(audit)}, services: map[name]service{n: {text, text}}, serviceUsed: true,
		}
		servers, err := parseStatistics(csv)
		if err != nil && health.OneLine(err.Error()) != err.Error() {
			t.Errorf("error %q", err)
		}
		beliefs := byShard(servers, nil)
		for _, shard := range slices.Collect(maps.Keys(beliefs)) {
			c.states[name{"prod", shard}] = state{text, 1}
		}
		v, _ := Options{StaleAfter: time.Minute, CheckTime: time.Second}.view(time.Now(), []*contents{c}, beliefs,
			disagreements{})
		for i := range v.Rows {
			if _, err := json.Marshal(v.Rows[i]); err != nil {
				t.Errorf("row %+v: %v", v.Rows[i], err)
			}
			v.Rows[i].Healthy()
			if a := v.Rows[i].Audit; a != nil && strings.ContainsAny(a.String(), "\x1b\n\r") {
				t.Errorf("audit %q", a)
			}
		}
	})
}
