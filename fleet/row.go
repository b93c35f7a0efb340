package fleet

import (
	"slices"
	"strings"
	"time"

	"github.com/signal-sidecar/signal-sidecar/health"
)

// Row is all that is known of one shard. It never changes, so readers may share it. Its JSON form is the one of
// "fleet --json" (docs/fleet.md).
type Row struct {
	Datacenter  string `json:"datacenter"`
	Environment string `json:"environment"`
	Shard       string `json:"shard"`
	// State is down, or the drain state of a shard that is up: ready, drain, maint or unknown. It is none without a
	// usable report, and while the shard has no verdict.
	State      string      `json:"state"`
	Damped     bool        `json:"damped"`      // by flap mitigation
	Reason     health.Code `json:"reason"`      // the root reason, none without one
	ReasonText string      `json:"reason_text"` // "" without one
	Weight     string      `json:"weight"`      // such as "85%"
	// Participants is nil if the number is not known.
	Participants *float64 `json:"participants"`
	Wanted       string   `json:"wanted"`  // the value of the wanted state's key, "" without a key
	Release      string   `json:"release"` // of the service, "" without one
	// ReportTime is when the reported observation was made, by the clock of the shard.
	ReportTime *health.Time `json:"report_time"`
	// ReportAge is in seconds, nil without ReportTime. It is negative if the shard's clock is ahead.
	ReportAge *float64 `json:"report_age"`
	AgentLine string   `json:"agent_line"` // as reported
	Address   string   `json:"address"`    // host:port of the sidecar's REST server, "" if not known
	Marks     []Mark   `json:"marks"`      // never nil
	Problem   string   `json:"problem"`    // why the value of the report's key is no report
	Audit     *Audit   `json:"audit"`
	HAProxy   []Belief `json:"haproxy"` // never nil
	// Disagreement is set while the HAProxys, or an HAProxy and the agent line, disagree. The row is marked once that has
	// lasted for the check time.
	Disagreement *Disagreement `json:"disagreement"`
}

// Disagreement is what the parties believe of a shard, and since when they disagree.
type Disagreement struct {
	Since health.Time `json:"since"`
	Text  string      `json:"text"`
}

// Mark names something about a shard that an operator must look at.
type Mark string

// The marks, in display order.
const (
	MarkDisagree Mark = "disagree" // HAProxys, or an HAProxy and the agent line, disagree for longer than the check time
	MarkBroken   Mark = "broken"   // the value of the report's key is no report
	MarkStale    Mark = "stale"    // the report is too old, or has no time
	MarkSilent   Mark = "silent"   // a wanted state or a service, but no report
	MarkGone     Mark = "gone"     // a report, but no service, in a datacenter with the service
	MarkClock    Mark = "clock"    // the report's time is in the future
)

// Marked reports whether the row has a mark.
func (r *Row) Marked(m Mark) bool { return slices.Contains(r.Marks, m) }

// rank orders rows: trouble first.
func (r *Row) rank() int {
	for i, holds := range []bool{
		r.Marked(MarkDisagree), r.State == health.StateDown, r.Marked(MarkBroken), r.Marked(MarkStale),
		r.Marked(MarkSilent), r.Marked(MarkGone), r.Marked(MarkClock), r.Damped,
		r.State == health.StateNone || r.State == string(health.StatusUnknown),
	} {
		if holds {
			return i
		}
	}
	return rankHealthy + max(0, slices.Index(healthyStates, r.State))
}

// rankHealthy is the rank of the first state of healthyStates.
const rankHealthy = 100

// healthyStates are the states of a shard without trouble, in display order.
var healthyStates = []string{string(health.StatusMaint), string(health.StatusDrain), string(health.StatusReady)}

// Healthy reports whether the shard is up, not damped, and has no mark.
func (r *Row) Healthy() bool { return r.rank() >= rankHealthy }

// compareRows orders rows: trouble first, then by name.
func compareRows(a, b Row) int {
	if byRank := a.rank() - b.rank(); byRank != 0 {
		return byRank
	}
	return slices.CompareFunc(
		[]string{a.Datacenter, a.Environment, a.Shard}, []string{b.Datacenter, b.Environment, b.Shard}, strings.Compare)
}

// View is the fleet at one time. It never changes, so readers may share it.
type View struct {
	At       time.Time
	Rows     []Row    // trouble first
	Problems []string // what could not be read; each names what was requested from where
	// Outdated is when the oldest of what is shown, but could not be read again, was last read; zero if there is none.
	Outdated time.Time
}

// Disagreements returns the number of rows that are marked so.
func (v *View) Disagreements() (n int) {
	for i := range v.Rows {
		if v.Rows[i].Marked(MarkDisagree) {
			n++
		}
	}
	return n
}
