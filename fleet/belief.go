package fleet

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/signal-sidecar/signal-sidecar/health"
)

// Belief is what one HAProxy reports about one server of a shard.
type Belief struct {
	HAProxy string `json:"haproxy"`
	Backend string `json:"backend"`
	Server  string `json:"server"`
	// State is UP, DRAIN, MAINT or DOWN, or "" for a status that is not known.
	State       string `json:"state"`
	Status      string `json:"status"` // as HAProxy has it, such as "no check" or "DOWN (agent)"
	Weight      int    `json:"weight"`
	Sessions    int    `json:"sessions"`     // current ones
	AgentStatus string `json:"agent_status"` // of the last agent check, such as L7OK or L4CON; "" without agent checks
	AgentText   string `json:"agent_text"`   // of the last agent check
}

// The states of a server.
const (
	stateUp    = "UP"
	stateDrain = "DRAIN"
	stateMaint = "MAINT"
	stateDown  = "DOWN"
)

// serverState returns the state of a status in HAProxy's statistics: the first word counts. A server without health
// checks is "no check" instead of UP. NOLB, of a server that is stopping, takes no new users, as DRAIN.
func serverState(status string) string {
	switch word, _, _ := strings.Cut(strings.TrimSpace(status), " "); strings.ToUpper(word) {
	case "UP", "OPEN", "NO":
		return stateUp
	case "DRAIN", "NOLB":
		return stateDrain
	case "MAINT":
		return stateMaint
	case "DOWN":
		return stateDown
	default:
		return ""
	}
}

// agentState returns the state in which a reply to an agent check leaves a server. The last word of each kind counts.
// HAProxy shows maint before down, and down before drain.
func agentState(line string) string {
	line, _, _ = strings.Cut(line, "#")
	up, admin := "", ""
	for _, word := range strings.Fields(strings.ToLower(line)) {
		switch word {
		case "up", "down":
			up = word
		case "ready", "drain", "maint":
			admin = word
		}
	}
	switch {
	case up == "" || admin == "":
		return ""
	case admin == "maint":
		return stateMaint
	case up == "down":
		return stateDown
	case admin == "drain":
		return stateDrain
	default:
		return stateUp
	}
}

// addBeliefs adds the beliefs to the rows of their shards, by name. SHARD.DATACENTER names a shard too. An HAProxy that
// has that server uses the plain name for the shard of another datacenter.
func addBeliefs(rows []Row, beliefs map[string][]Belief) {
	for i := range rows {
		r := &rows[i]
		qualified := beliefs[r.Shard+"."+r.Datacenter]
		if r.Datacenter == "" {
			qualified = nil
		}
		r.HAProxy = append(r.HAProxy, qualified...)
		for _, b := range beliefs[r.Shard] {
			if !slices.ContainsFunc(qualified, func(q Belief) bool { return q.HAProxy == b.HAProxy }) {
				r.HAProxy = append(r.HAProxy, b)
			}
		}
	}
}

// disagreement returns what the parties believe if they disagree, else "". The agent line of an old report is no party.
func (r *Row) disagreement() string {
	states := map[string]bool{}
	var parties []string
	add := func(state, format string, args ...any) {
		if state != "" {
			states[state] = true
			parties = append(parties, fmt.Sprintf(format, args...))
		}
	}
	if len(r.HAProxy) > 0 && r.AgentLine != "" && !r.Marked(MarkStale) {
		add(agentState(r.AgentLine), "the agent line is %q", health.OneLine(r.AgentLine))
	}
	for _, b := range r.HAProxy {
		add(b.State, "%s has %s/%s %s", b.HAProxy, Printable(b.Backend), Printable(b.Server), health.OneLine(b.Status))
	}
	if len(states) < 2 {
		return ""
	}
	return strings.Join(parties, ", ")
}

// shardKey names a shard of all datacenters.
type shardKey struct {
	datacenter string
	name
}

func (r *Row) key() shardKey { return shardKey{r.Datacenter, name{r.Environment, r.Shard}} }

// disagreements keeps since when there is a disagreement about each shard. Its times are local ones.
type disagreements map[shardKey]time.Time

// mark sets the disagreements of the rows, and marks those that have lasted for the check time. pending reports whether
// there is one that has not.
func (d disagreements) mark(rows []Row, now time.Time, checkTime time.Duration) (pending bool) {
	found := map[shardKey]bool{}
	for i := range rows {
		r := &rows[i]
		text := r.disagreement()
		if text == "" {
			continue
		}
		key := r.key()
		since, known := d[key]
		if !known {
			since = now
			d[key] = now
		}
		found[key] = true
		r.Disagreement = &Disagreement{Since: health.Time(since), Text: text}
		if now.Sub(since) >= checkTime {
			r.Marks = append(r.Marks, MarkDisagree)
		} else {
			pending = true
		}
	}
	for key := range d {
		if !found[key] {
			delete(d, key)
		}
	}
	return pending
}
