package main

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"text/tabwriter"
	"unicode/utf8"

	"github.com/signal-sidecar/signal-sidecar/fleet"
	"github.com/signal-sidecar/signal-sidecar/health"
	"github.com/signal-sidecar/signal-sidecar/rest"
)

const (
	tableWidth   = 100 // columns
	minNameWidth = 16
	maxCell      = 12
	detailIndent = "    "
	// maxHAProxyColumns is how many HAProxys have a column each. More share one.
	maxHAProxyColumns = 2
)

// fleetTable is a view as text.
type fleetTable struct {
	header  string
	lines   []fleetLine
	summary string
}

// fleetLine is a row, and the lines below it that explain it.
type fleetLine struct {
	text     string
	details  []string
	severity severity
}

// severity is how much a row needs attention.
type severity int

const (
	severityNone severity = iota
	severityWarning
	severityTrouble
)

// newFleetTable prepares a table. With unhealthy it has only the rows that are so.
func newFleetTable(v *fleet.View, unhealthy bool) *fleetTable {
	rows := v.Rows
	if unhealthy {
		rows = slices.DeleteFunc(slices.Clone(rows), func(r fleet.Row) bool { return r.Healthy() })
	}
	t := &fleetTable{summary: summaryOf(v)}
	if len(rows) == 0 {
		return t
	}
	columns := columnsOf(v)
	cells := [][]string{columns.header()}
	for i := range rows {
		cells = append(cells, columns.cells(&rows[i]))
	}
	lines := align(cells)
	t.header = lines[0]
	for i := range rows {
		t.lines = append(t.lines, fleetLine{lines[i+1], detailsOf(&rows[i]), severityOf(&rows[i])})
	}
	return t
}

// text returns the table with its summary, in colours or not.
func (t *fleetTable) text(c palette) string {
	var b strings.Builder
	if t.header != "" {
		fmt.Fprintln(&b, c.bold(t.header))
	}
	for _, l := range t.lines {
		fmt.Fprintln(&b, c.of(l.severity, l.text))
		for _, d := range l.details {
			fmt.Fprintln(&b, d)
		}
	}
	fmt.Fprintln(&b, t.summary)
	return b.String()
}

// fleetColumns are the columns that a view needs.
type fleetColumns struct {
	datacenter, environment bool // whether the names of the shards need them
	release                 bool
	haproxys                []string
	whole                   bool // whether long values are not shortened
}

// ageTitle is the title of the column with the age of the report.
const ageTitle = "AGE"

func columnsOf(v *fleet.View) fleetColumns {
	var c fleetColumns
	for i, r := range v.Rows {
		c.datacenter = c.datacenter || r.Datacenter != v.Rows[0].Datacenter
		c.environment = c.environment || r.Environment != v.Rows[0].Environment
		c.release = c.release || r.Release != ""
		for _, b := range v.Rows[i].HAProxy {
			if !slices.Contains(c.haproxys, b.HAProxy) {
				c.haproxys = append(c.haproxys, b.HAProxy)
			}
		}
	}
	slices.Sort(c.haproxys)
	return c
}

func (c fleetColumns) header() []string {
	cells := []string{"SHARD", "STATE", "WEIGHT", "USERS", "WANTED"}
	if c.release {
		cells = append(cells, "RELEASE")
	}
	cells = append(cells, ageTitle)
	if len(c.haproxys) > maxHAProxyColumns {
		cells = append(cells, "HAPROXYS")
	} else {
		for _, h := range c.haproxys {
			cells = append(cells, shorten(fleet.Printable(h), maxCell+2))
		}
	}
	return append(cells, "MARKS")
}

func (c fleetColumns) cells(r *fleet.Row) []string {
	name := fleet.Printable(r.Shard)
	if c.environment {
		name = fleet.Printable(r.Environment) + "/" + name
	}
	if c.datacenter {
		name = fleet.Printable(r.Datacenter) + "/" + name
	}
	users, reportAge := "-", "-"
	if r.Participants != nil {
		users = cell(fmt.Sprintf("%.0f", *r.Participants))
		if c.whole {
			users = rest.Count(*r.Participants)
		}
	}
	weight := r.Weight
	if r.State == health.StateDown || r.State == string(health.StatusUnknown) {
		weight = "" // HAProxy sends no new users, whatever the weight in the reply
	}
	if r.ReportAge != nil {
		reportAge = age(*r.ReportAge)
	}
	cells := []string{name, c.cell(r.State), c.cell(weight), users, c.cell(r.Wanted)}
	if c.release {
		cells = append(cells, c.cell(r.Release))
	}
	cells = append(cells, reportAge)
	if len(c.haproxys) > maxHAProxyColumns {
		cells = append(cells, countBeliefs(r.HAProxy))
	} else {
		for _, h := range c.haproxys {
			cells = append(cells, describeBeliefs(r.HAProxy, h))
		}
	}
	return append(cells, marksOf(r))
}

// cell returns a text for a column, - for none.
func (c fleetColumns) cell(text string) string {
	if text != "" && c.whole {
		return shorten(fleet.Printable(text), tableWidth)
	}
	return cell(text)
}

// cell returns a text for a narrow column, - for none.
func cell(text string) string {
	if text == "" {
		return "-"
	}
	return shorten(fleet.Printable(text), maxCell)
}

// marksOf returns the marks and damped, separated by commas.
func marksOf(r *fleet.Row) string {
	var all []string
	for _, m := range r.Marks {
		all = append(all, string(m))
	}
	if r.Damped {
		all = append(all, "damped")
	}
	return strings.Join(all, ",")
}

// describeBeliefs returns what one HAProxy has of a shard: the state, the weight and the sessions of its servers.
func describeBeliefs(all []fleet.Belief, haproxy string) string {
	var states []string
	weight, sessions := 0, 0
	for _, b := range all {
		if b.HAProxy != haproxy {
			continue
		}
		if state := stateOf(b); !slices.Contains(states, state) {
			states = append(states, state)
		}
		weight, sessions = b.Weight, sessions+b.Sessions
	}
	switch len(states) {
	case 0:
		return "-"
	case 1:
		return fmt.Sprintf("%s %d %d", states[0], weight, sessions)
	default:
		return strings.Join(states, "/")
	}
}

// countBeliefs returns how many servers are in each state, such as "3 UP 1 DRAIN".
func countBeliefs(all []fleet.Belief) string {
	counts, order := map[string]int{}, []string{}
	for _, b := range all {
		if counts[stateOf(b)]++; counts[stateOf(b)] == 1 {
			order = append(order, stateOf(b))
		}
	}
	for i, state := range order {
		order[i] = fmt.Sprintf("%d %s", counts[state], state)
	}
	if len(order) == 0 {
		return "-"
	}
	return strings.Join(order, " ")
}

// stateOf returns the state of a server, or its status if that is not known.
func stateOf(b fleet.Belief) string {
	if b.State != "" {
		return b.State
	}
	return cell(b.Status)
}

// detailsOf returns what explains a row, in lines of the table.
func detailsOf(r *fleet.Row) (lines []string) {
	for _, text := range explanationOf(r) {
		lines = append(lines, wrap(text, tableWidth, detailIndent)...)
	}
	return lines
}

// explanationOf returns what explains a row: why the report is unusable, the root reason, who set the wanted state, and
// what the HAProxys disagree about.
func explanationOf(r *fleet.Row) (texts []string) {
	add := func(text string) { texts = append(texts, health.OneLine(text)) }
	wanted := health.ParseWord(r.Wanted)
	if r.Problem != "" {
		add(r.Problem)
	}
	if r.Reason != health.ReasonNone && (r.State != string(wanted) || wanted == health.WordReady) {
		add(string(r.Reason) + ": " + r.ReasonText)
	}
	if r.Audit != nil && wanted != health.WordReady && health.ParseWord(r.Audit.State) == wanted {
		add(r.Audit.String())
	}
	if r.Marked(fleet.MarkDisagree) {
		add(r.Disagreement.Text)
	}
	return texts
}

func severityOf(r *fleet.Row) severity {
	switch {
	case r.Healthy():
		return severityNone
	case r.State == health.StateDown || r.Marked(fleet.MarkDisagree) || r.Marked(fleet.MarkBroken):
		return severityTrouble
	default:
		return severityWarning
	}
}

// summaryOf counts the states and the marks of all rows, such as "3 shards: 2 ready, 1 down; 1 stale".
func summaryOf(v *fleet.View) string {
	states, marks := map[string]int{}, map[string]int{}
	for i := range v.Rows {
		r := &v.Rows[i]
		states[r.State]++
		for _, m := range r.Marks {
			marks[string(m)]++
		}
		if r.Damped {
			marks["damped"]++
		}
	}
	text := fmt.Sprintf("%d shards", len(v.Rows))
	if len(v.Rows) == 1 {
		text = "1 shard"
	}
	before := ": "
	for _, s := range []string{"ready", "drain", "maint", "down", "unknown", "none"} {
		if n := states[s]; n > 0 {
			text, before = fmt.Sprintf("%s%s%d %s", text, before, n, s), ", "
		}
	}
	before = "; "
	for _, m := range []string{"disagree", "broken", "stale", "silent", "gone", "clock", "damped"} {
		if n := marks[m]; n > 0 {
			text, before = fmt.Sprintf("%s%s%d %s", text, before, n, m), ", "
		}
	}
	return text
}

// align aligns cells in columns. If the table is too wide, the names in the first column are shortened.
func align(rows [][]string) []string {
	lines := tabulate(rows)
	over := 0
	name := 0
	for i, l := range lines {
		over = max(over, utf8.RuneCountInString(l)-tableWidth)
		name = max(name, utf8.RuneCountInString(rows[i][0]))
	}
	if over > 0 {
		width := max(name-over, minNameWidth)
		for _, r := range rows {
			r[0] = shorten(r[0], width)
		}
		lines = tabulate(rows)
	}
	return lines
}

func tabulate(rows [][]string) []string {
	var b bytes.Buffer
	w := tabwriter.NewWriter(&b, 0, 0, 2, ' ', 0)
	for _, r := range rows {
		fmt.Fprintln(w, strings.Join(r, "\t"))
	}
	_ = w.Flush() // a buffer takes everything
	lines := strings.Split(strings.TrimSuffix(b.String(), "\n"), "\n")
	for i, l := range lines {
		lines[i] = strings.TrimRight(l, " ")
	}
	return lines
}

// shorten removes the middle of a text that is longer than width characters.
func shorten(text string, width int) string {
	r := []rune(text)
	if len(r) <= width {
		return text
	}
	head := (width - 1) / 2
	return string(r[:head]) + "…" + string(r[len(r)-(width-1-head):])
}

// wrap breaks a text into lines of at most width characters, each with an indent. Longer words are cut.
func wrap(text string, width int, indent string) (lines []string) {
	line := indent
	for _, word := range strings.Fields(text) {
		word = shorten(word, width-len(indent))
		if line != indent && utf8.RuneCountInString(line)+1+utf8.RuneCountInString(word) > width {
			lines, line = append(lines, line), indent
		}
		if line != indent {
			line += " "
		}
		line += word
	}
	return append(lines, line)
}
