package rest

import (
	"fmt"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/signal-sidecar/signal-sidecar/health"
	"github.com/signal-sidecar/signal-sidecar/history"
)

// The kinds of verdict that the page distinguishes, by colour and by heading.
const (
	kindNone    = "none" // before the first verdict
	kindUp      = "up"
	kindDrain   = "drain"
	kindMaint   = "maint"
	kindDown    = "down"
	kindDamped  = "damped" // down although healthy again, because of flap mitigation
	kindUnknown = "unknown"
)

// kindNames are the names of the kinds in the timeline.
var kindNames = map[string]string{
	kindNone: "no verdict", kindUp: "up", kindDrain: "drain", kindMaint: "maint", kindDown: "down", kindDamped: "damped",
	kindUnknown: "unknown",
}

// wordKinds are the colours of the status file's words.
var wordKinds = map[health.Word]string{
	health.WordReady: kindUp, health.WordDrain: kindDrain, health.WordMaint: kindMaint, health.WordUnhealthy: kindDown,
	health.WordUnknown: kindUnknown,
}

// headings are the heading for each kind of verdict, and what it means for users.
var headings = map[string][2]string{
	kindNone: {"No verdict yet",
		"jicofo, prosody or the status file has not been probed yet. HAProxy keeps the state it has."},
	kindUp:     {"Up", "HAProxy sends users here."},
	kindDrain:  {"Draining", "HAProxy sends no new conferences here. Conferences on this node continue."},
	kindMaint:  {"Maintenance", "HAProxy sends no users here."},
	kindDown:   {"Down", "HAProxy sends no users here."},
	kindDamped: {"Down", "The node is healthy again. HAProxy sends no users here until the dampening ends."},
	kindUnknown: {"Unknown status",
		"The status file holds no known word. HAProxy sends no new conferences here until it does."},
}

// nexts are the names of the next verdict, by its kind.
var nexts = map[string]string{
	kindUp: "Up", kindDrain: "Draining", kindMaint: "Maintenance", kindDown: "Down", kindDamped: "Down",
	kindUnknown: "Unknown status",
}

// kindOf returns the kind of a verdict.
func kindOf(state string, damped bool) string {
	switch {
	case state == string(health.StatusReady):
		return kindUp
	case state == health.StateDown && damped:
		return kindDamped
	default:
		return state
	}
}

// view is the data of the templates.
type view struct {
	Kind, Heading, Meaning string
	Title, Icon            string
	AgentLine              string
	At                     string // when the page was rendered
	Incident               string
	Reasons                []reasonView
	Tolerated              []toleratedView
	Next                   *nextView
	Axis                   axis
	Charts, Probes         []chart
	Legend                 []band
	Changes                []changeView
	More                   int // number of changes that are kept but not shown
}

// moment is a time as text, and in milliseconds since the epoch for the script.
type moment struct {
	Text, ISO string
	Millis    int64
	Away      string // time between it and the rendering of the page
}

func newMoment(t, now time.Time) moment {
	away := t.Sub(now)
	at := now.Add(away) // the wall clock may have been set since t
	format := "15:04:05"
	if at.UTC().Format(time.DateOnly) != now.UTC().Format(time.DateOnly) {
		format = "2 Jan 2006 15:04:05"
	}
	return moment{at.UTC().Format(format), at.UTC().Format(time.RFC3339), at.UnixMilli(), duration(away.Abs())}
}

// duration formats a duration in whole seconds, as page.js does.
func duration(d time.Duration) string {
	s := int(d.Round(time.Second).Seconds())
	if s >= 86400 {
		return fmt.Sprintf("%d d %02d:%02d:%02d", s/86400, s/3600%24, s/60%60, s%60)
	}
	if s >= 3600 {
		return fmt.Sprintf("%d:%02d:%02d", s/3600, s/60%60, s%60)
	}
	return fmt.Sprintf("%d:%02d", s/60, s%60)
}

// Count formats a number as the pages do: without fraction, with separators between thousands.
func Count(n float64) string {
	digits := strconv.FormatFloat(n, 'f', 0, 64)
	for i := len(digits) - 3; i > 0 && digits[i-1] != '-'; i -= 3 {
		digits = digits[:i] + "," + digits[i:]
	}
	return digits
}

// countOf formats a number of things.
func countOf(n float64, thing string) string {
	if text := Count(n); text != "1" {
		return text + " " + thing + "s"
	}
	return "1 " + thing
}

type reasonView struct {
	Code  health.Code
	Text  string
	Since moment
}

type toleratedView struct {
	Service, Text string
	Since, Until  moment
}

type nextView struct {
	Kind, Word string
	At         moment
}

type changeView struct {
	At              moment
	Key             int64 // of the same change in the next rendering
	Kind            string
	Word, From, To  string
	Reasons         []health.Code
	TraceID, Trace  string
	Incident, Lasts string
}

// maxChanges is the number of changes that the page lists.
const maxChanges = 20

// view returns the data of the page at a moment.
func (p *page) view(s *health.Snapshot, now time.Time) view {
	samples, changes := p.history.Samples(), p.history.Changes()
	verdict := s.Verdict
	kind := kindOf(verdict.State(), verdict.Damped)
	v := view{
		Kind: kind, Heading: headings[kind][0], Meaning: headings[kind][1],
		AgentLine: strings.TrimSuffix(string(s.AgentLine), "\n"),
		Icon:      loadAssets().paths[kind+".svg"], At: clockTime(now), Incident: verdict.Incident,
	}
	for _, kind := range []string{kindUp, kindMaint, kindDrain, kindDamped, kindUnknown, kindDown} {
		v.Legend = append(v.Legend, band{Width: 24, Kind: kind, Title: kindNames[kind]})
	}
	v.Title = p.title(v.Heading)
	for _, r := range verdict.Reasons {
		v.Reasons = append(v.Reasons, reasonView{r.Code, r.Text, newMoment(r.Since, now)})
	}
	for _, each := range verdict.Tolerated {
		since, until := newMoment(each.Since, now), newMoment(each.Until, now)
		v.Tolerated = append(v.Tolerated, toleratedView{each.Service, each.Text, since, until})
	}
	if next, ok := s.Next(); ok {
		kind := kindOf(next.State(), next.Damped)
		v.Next = &nextView{kind, nexts[kind], newMoment(verdict.Until, now)}
	}
	began := now
	if n := len(samples); n > 0 {
		began = samples[n-1].Began
	}
	v.Axis = newAxis(began, now)
	v.Charts = []chart{
		verdictRow(changes, v.Axis, kind), weightRow(s, samples, v.Axis), p.participantsRow(s, samples, v.Axis),
	}
	v.Probes = p.probes(s, samples, v.Axis)
	v.Changes, v.More = p.changes(changes, now)
	return v
}

// title returns the title of the page with a heading.
func (p *page) title(heading string) string {
	if p.Host == "" {
		return heading
	}
	return heading + " · " + p.Host
}

// staleView returns the data of the page while the verdict is out of date, from a snapshot without it.
func (p *page) staleView(s *health.Snapshot, now time.Time) view {
	v := p.view(s, now)
	problem := "the latest results of its probes are too old"
	if err := p.watch.Stalled(now); err != nil {
		problem = err.Error()
	}
	v.Heading = "Unknown"
	v.Meaning = fmt.Sprintf("This sidecar has no current verdict: %s. HAProxy keeps the state it has.", problem)
	v.Title = p.title(v.Heading)
	return v
}

func (p *page) changes(changes []history.Change, now time.Time) (shown []changeView, more int) {
	ended := now
	for i, c := range changes {
		if i == maxChanges {
			return shown, len(changes) - i
		}
		at, kind := time.Time(c.At), kindOf(c.State, c.Damped)
		row := changeView{
			At: newMoment(at, now), Key: at.UnixNano(), Kind: kind, Word: kindNames[kind],
			From: c.From, To: c.To, Reasons: c.Reasons, TraceID: c.TraceID, Incident: c.Incident, Lasts: duration(ended.Sub(at)),
		}
		if p.TraceURL != "" && c.TraceID != "" {
			row.Trace = strings.ReplaceAll(p.TraceURL, "{trace_id}", c.TraceID)
		}
		shown, ended = append(shown, row), at
	}
	return shown, 0
}

func verdictRow(changes []history.Change, a axis, kind string) chart {
	c := chart{Name: "Verdict", Now: kindNames[kind], Bands: a.timeline(changes)}
	c.Alt = fmt.Sprintf("Verdict: %s now, %d changes.", c.Now, len(changes))
	return c
}

// weightRow returns the row of the weight. It is shown only where HAProxy uses it: not while the node is down, nor
// while it drains because the status is unknown, although the reply has a weight then.
func weightRow(s *health.Snapshot, samples []history.Sample, a axis) chart {
	c := chart{Name: "Weight", Now: "–"}
	switch {
	case s.Verdict.Known && !s.Verdict.Healthy:
		c.Detail = "not used while down"
	case s.Verdict.Known && s.Verdict.Status == health.StatusUnknown:
		c.Detail = "not used while draining"
	case s.Verdict.Known:
		c.Now = s.Verdict.WeightText()
	}
	c.steps(a, samples, 100, func(s history.Sample) (float64, bool) {
		return float64(s.Weight), s.Known && !s.Down && s.Word.Known()
	})
	c.Alt = "Weight: " + c.Now + " now."
	return c
}

// participantsRow returns the row of the participants, drawn against PARTICIPANT_MAX.
func (p *page) participantsRow(s *health.Snapshot, samples []history.Sample, a axis) chart {
	c := chart{Name: "Participants", Now: "not known"}
	if p.ParticipantMax > 0 {
		c.Detail = "of " + Count(p.ParticipantMax)
	}
	if participants, conferences, ok := s.Jicofo.Load(); ok {
		c.Now = Count(participants)
		c.Detail = strings.TrimSpace(fmt.Sprintf("%s in %s", c.Detail, countOf(conferences, "conference")))
	}
	peak := 0.0
	for _, s := range samples {
		if s.Loaded {
			peak = max(peak, s.Participants)
		}
	}
	top := niceCeiling(peak)
	if p.ParticipantMax > 0 {
		top = max(p.ParticipantMax, peak)
		if peak > p.ParticipantMax {
			c.Limit = number(height(p.ParticipantMax, top))
		}
	}
	c.steps(a, samples, top, func(s history.Sample) (float64, bool) { return s.Participants, s.Loaded })
	c.Alt = fmt.Sprintf("Participants: %s now, at most %s.", c.Now, Count(peak))
	if c.Line != "" {
		c.Peak = "max " + Count(peak)
	}
	return c
}

// probeRows holds the name and the path of each probe's row.
var probeRows = map[health.Probe][2]string{
	health.ProbeJicofoHealth: {"jicofo", "/about/health"},
	health.ProbeJicofoStats:  {"jicofo statistics", "/stats"},
	health.ProbeProsody:      {"prosody", "/http-bind"},
	health.ProbeCensus:       {"census", "/room-census"},
}

// probes returns the rows about the probes.
func (p *page) probes(s *health.Snapshot, samples []history.Sample, a axis) []chart {
	results := map[health.Probe]*health.Result{}
	for _, r := range s.Results() {
		results[r.Probe] = &r
	}
	var rows []chart
	for _, probe := range health.Probes {
		if probe == health.ProbeCensus && !p.census {
			continue
		}
		if probe == health.ProbeStatusFile {
			rows = append(rows, statusFileRow(s.StatusFile, samples, a))
			rows = append(rows, p.consul.rows(s)...)
			continue
		}
		row := probeRow(probe, results[probe])
		if probe == health.ProbeJicofoHealth && s.Jicofo != nil && row.State == "bad" && s.Jicofo.Contents != "" {
			row.Detail = excerpt(s.Jicofo.Contents)
		}
		row.latency(a, samples, probe)
		rows = append(rows, row)
	}
	return rows
}

// probeRow returns the row of a probe, without its chart. r is nil for a probe that has not run.
func probeRow(probe health.Probe, r *health.Result) chart {
	c := chart{Name: string(probe), Now: "not probed yet", State: "none"}
	if row, ok := probeRows[probe]; ok {
		c.Name, c.Detail = row[0], row[1]
	}
	c.Alt = c.Name + ": no samples."
	if r == nil {
		return c
	}
	c.State, c.Now = "ok", "ok in "+seconds(r.Took)
	if r.Failed() {
		c.State = "bad"
	}
	switch a := r.Answer; {
	case a == nil && r.Failed(), a != nil && !a.Reachable():
		c.Now, c.Detail = strings.ReplaceAll(string(r.Outcome), "_", " "), excerpt(r.Detail)
	case a != nil:
		c.Now = fmt.Sprintf("%d in %s", a.Code, seconds(a.Took))
		if r.Problem != "" && a.OK() {
			c.Detail = excerpt(r.Problem)
		}
	}
	return c
}

func statusFileRow(f *health.StatusFile, samples []history.Sample, a axis) chart {
	c := chart{Name: "status file", Now: "not probed yet", State: "none"}
	if f != nil {
		c.State, c.Now = "ok", string(f.Word())
		switch {
		case !f.Found:
			c.State, c.Now, c.Detail = "bad", "unreadable", excerpt(f.Problem)
		case !f.Word().Known():
			c.State, c.Detail = "bad", excerpt(fmt.Sprintf("%q", f.Contents))
		case f.Word() == health.WordUnhealthy:
			c.State = "bad"
		}
	}
	c.words(a, samples)
	c.Alt = "Status file: " + c.Now + " now."
	return c
}

// excerpt returns the first 80 characters of a text from a service or a file, in one line.
func excerpt(text string) string {
	const most = 80
	text = strings.Join(strings.Fields(strings.ToValidUTF8(text, "�")), " ")
	if utf8.RuneCountInString(text) <= most {
		return text
	}
	return string([]rune(text)[:most]) + "…"
}
