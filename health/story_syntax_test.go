package health_test

import (
	"cmp"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/signal-sidecar/signal-sidecar/health"
)

// A story is a timeline that an operator can read, one file per story in testdata/stories:
//
//	# what it shows; a story starts with a comment
//	set DRAIN_GRACE_INTERVAL=120 HEALTH_DAMPENING_INTERVAL=30
//	poll 5s
//	0s      ready                        → up ready 100%
//	10s     jicofo 503                   → up drain 0% damped until 130s reason jicofo_overloaded
//	130s    prosody timeout, stats 500   → down ready 100%
//
// Each line is a time, the observations at that time (none: time only passes), and, after the arrow, the expected
// verdict.
//
//	set NAME=VALUE …       settings other than the defaults
//	poll 5s                every part is observed again, unchanged, every 5 s from the first line on
//	unseen                 only the observations in the lines are made. Without it, the first line observes a ready file,
//	                       a working jicofo and a working prosody, except for what the line sets itself
//	let NAME = EXPECTATION a short name, for a matrix
//
// Times: 130s, 130s-1ns, 130s+1ns. Observations, each made separately, in the order of the text:
//
//	ready, drain, maint, unhealthy, file "text", file missing
//	jicofo CODE|timeout|refused|reset   its health; 200, timeout, refused and reset apply to /stats too
//	stats CODE|timeout|refused|reset|invalid, participants N
//	prosody CODE|timeout|refused|reset
//	census CODE|timeout|refused|reset
//
// restart, among the observations, restarts the sidecar. What follows is observed by the new process.
//
// Expectations: `no verdict`, or the agent reply, then damped and until if they hold (they must not hold if they are
// missing). Then optional facts, which are checked only if present: `reason a,b` (or none), `since TIME` (of the first
// reason), `status WORD`, `tolerated SERVICE,SERVICE` (or none) and `runs N` (unhealthy episodes so far). The verdict
// must not change at a time without a line.
//
// A matrix may end the story. Each cell is a separate story. At the time in the corner it makes the observations of the
// row, then those of the column.
//
//	10s        | prosody 200                      | prosody 500
//	jicofo 503 | up drain 0% damped until 130s    | down ready 100%
type story struct {
	name   string // of the cell, "" without a matrix
	file   string
	config health.Config
	poll   time.Duration
	unseen bool
	lines  []line
}

// A line is one time of a story.
type line struct {
	number int
	at     time.Duration
	events []event
	want   *expectation // nil: nothing is checked
}

// An event changes one part of the node; that part is then observed.
type event struct {
	part  part
	apply func(*node)
}

type part int

const (
	partJicofo part = iota
	partProsody
	partStatusFile
	partCensus
	partRestart // not observed
)

// everyPart lists the parts that a verdict needs.
var everyPart = []part{partJicofo, partProsody, partStatusFile}

// node is the state of each part of the node.
type node struct {
	jicofo     health.Jicofo
	prosody    health.Prosody
	statusFile health.StatusFile
	census     health.Census
}

// workingNode returns a node without failures.
func workingNode() node {
	ok := health.Answer{Code: 200}
	return node{
		jicofo:     health.Jicofo{Health: ok, Stats: ok, Participants: 100, Conferences: 10},
		prosody:    health.Prosody{Health: ok},
		statusFile: health.StatusFile{Found: true, Contents: "ready"},
		census:     health.Census{Answer: ok},
	}
}

// observe returns the observation that the part's collector would make at this time.
func (n node) observe(p part, at time.Time) health.Observation {
	switch p {
	case partJicofo:
		return health.Observation{At: at, Jicofo: &n.jicofo}
	case partProsody:
		return health.Observation{At: at, Prosody: &n.prosody}
	case partStatusFile:
		return health.Observation{At: at, StatusFile: &n.statusFile}
	default:
		return health.Observation{At: at, Census: &n.census}
	}
}

// An expectation is a verdict in the syntax of a story.
type expectation struct {
	text string   // canonical: see describe
	also []string // the optional facts that it contains
}

// defaultConfig returns the default settings.
func defaultConfig() health.Config {
	return health.Config{
		ParticipantMax: 5000, HealthDampening: 30 * time.Second, DrainGrace: 120 * time.Second,
		DrainGraceScope: health.ScopeJicofo,
	}
}

// storyParser parses one file.
type storyParser struct {
	story
	names   map[string]string // from let lines
	columns [][]event         // of the matrix
	corner  time.Duration
	cells   []story
}

// parseStory parses a file and returns its story, or one story for each cell of a matrix. Its errors contain the file,
// the line and the reason.
func parseStory(file, text string) ([]story, error) {
	p := storyParser{story: story{file: file, config: defaultConfig()}, names: map[string]string{}}
	if !strings.HasPrefix(text, "#") {
		return nil, fmt.Errorf("%s:1: a story starts with a comment that says what it shows", file)
	}
	rows := strings.Split(strings.TrimRight(text, "\n"), "\n")
	for i, row := range rows {
		row = strings.TrimSpace(row)
		if row == "" || strings.HasPrefix(row, "#") {
			continue
		}
		if err := p.row(i+1, row); err != nil {
			return nil, fmt.Errorf("%s:%d: %w", file, i+1, err)
		}
	}
	p.config, _ = p.config.Normalize()
	switch {
	case p.columns != nil && p.cells == nil:
		return nil, fmt.Errorf("%s:%d: a matrix without rows", file, len(rows))
	case p.columns != nil:
		for i := range p.cells {
			p.cells[i].config = p.config
		}
		return p.cells, nil
	case !slices.ContainsFunc(p.lines, func(l line) bool { return l.want != nil }):
		return nil, fmt.Errorf("%s:%d: a story that expects nothing", file, len(rows))
	}
	return []story{p.story}, nil
}

func (p *storyParser) row(number int, row string) error {
	directive, rest, _ := strings.Cut(row, " ")
	switch {
	case p.columns != nil:
		return p.matrixRow(number, row)
	case strings.Contains(row, "|"):
		return p.matrixHeader(row)
	case directive == "set":
		return p.set(strings.Fields(rest))
	case directive == "let":
		name, value, ok := strings.Cut(rest, "=")
		if !ok {
			return errors.New("let needs NAME = EXPECTATION")
		}
		p.names[strings.TrimSpace(name)] = strings.TrimSpace(value)
		_, err := p.expectation(value)
		return err
	case directive == "poll":
		var err error
		if p.poll, err = time.ParseDuration(rest); err == nil && p.poll <= 0 {
			err = errors.New("poll needs an interval above 0")
		}
		return err
	case row == "unseen":
		p.unseen = true
		return nil
	default:
		return p.line(number, row)
	}
}

func (p *storyParser) line(number int, row string) error {
	left, right, arrow := strings.Cut(row, "→")
	moment, observed, _ := strings.Cut(strings.TrimSpace(left), " ")
	l := line{number: number}
	var err error
	if l.at, err = p.moment(moment); err != nil {
		return err
	}
	if l.events, err = parseEvents(observed); err != nil {
		return err
	}
	if arrow {
		if l.want, err = p.expectation(right); err != nil {
			return err
		}
	}
	if !arrow && l.events == nil {
		return errors.New("a line that observes nothing and expects nothing")
	}
	p.lines = append(p.lines, l)
	return nil
}

// moment parses the time of a line, which must not be before that of the previous line.
func (p *storyParser) moment(text string) (time.Duration, error) {
	at, err := parseMoment(text)
	if n := len(p.lines); err == nil && n > 0 && at < p.lines[n-1].at {
		err = fmt.Errorf("%s lies before the line above", text)
	}
	return at, err
}

func (p *storyParser) matrixHeader(row string) error {
	cells := splitCells(row)
	var err error
	if p.corner, err = p.moment(cells[0]); err != nil {
		return err
	}
	for _, cell := range cells[1:] {
		events, err := parseEvents(cell)
		if err != nil {
			return err
		}
		p.columns = append(p.columns, events)
	}
	p.name = row
	return nil
}

func (p *storyParser) matrixRow(number int, row string) error {
	cells, header := splitCells(row), splitCells(p.name)
	if len(cells) != len(header) {
		return fmt.Errorf("a matrix row of %d cells, below %d columns", len(cells)-1, len(header)-1)
	}
	events, err := parseEvents(cells[0])
	if err != nil {
		return err
	}
	for i, cell := range cells[1:] {
		want, err := p.expectation(cell)
		if err != nil {
			return err
		}
		s := p.story
		s.name = cells[0] + ", " + header[i+1]
		s.lines = append(slices.Clone(p.lines), line{number, p.corner, slices.Concat(events, p.columns[i]), want})
		p.cells = append(p.cells, s)
	}
	return nil
}

func splitCells(row string) []string {
	cells := strings.Split(row, "|")
	for i := range cells {
		cells[i] = strings.TrimSpace(cells[i])
	}
	return cells
}

func (p *storyParser) set(settings []string) error {
	if len(settings) == 0 || p.lines != nil {
		return errors.New("set needs NAME=VALUE, and stands before the first line")
	}
	for _, setting := range settings {
		name, value, _ := strings.Cut(setting, "=")
		if err := p.setting(name, value); err != nil {
			return fmt.Errorf("%s: %w", setting, err)
		}
	}
	return nil
}

func (p *storyParser) setting(name, value string) (err error) {
	c := &p.config
	switch name {
	case "DRAIN_GRACE_INTERVAL":
		c.DrainGrace, err = parseInterval(value)
	case "HEALTH_DAMPENING_INTERVAL":
		c.HealthDampening, err = parseInterval(value)
	case "UNREACHABLE_TOLERANCE":
		c.UnreachableTolerance, err = parseInterval(value)
	case "DRAIN_GRACE_SCOPE":
		c.DrainGraceScope = health.GraceScope(value)
		if c.DrainGraceScope != health.ScopeJicofo && c.DrainGraceScope != health.ScopeSoft {
			err = errors.New("neither jicofo nor soft")
		}
	case "PARTICIPANT_MAX":
		c.ParticipantMax, err = strconv.ParseFloat(value, 64)
	case "WEIGHT_PARTICIPANTS":
		c.WeightParticipants, err = strconv.ParseBool(value)
	case "CENSUS_POLL":
		c.Census, err = strconv.ParseBool(value)
	default:
		err = errors.New("no such setting")
	}
	return err
}

// parseInterval parses seconds or a Go duration, as the settings do.
func parseInterval(text string) (time.Duration, error) {
	if seconds, err := strconv.ParseFloat(text, 64); err == nil {
		return time.Duration(seconds * float64(time.Second)), nil
	}
	return time.ParseDuration(text)
}

// parseMoment parses 130s, 130s-1ns or 130s+1ns.
func parseMoment(text string) (time.Duration, error) {
	base, sign, offset := text, time.Duration(0), "0s"
	if i := strings.LastIndexAny(text, "+-"); i > 0 {
		base, sign, offset = text[:i], 1, text[i+1:]
		if text[i] == '-' {
			sign = -1
		}
	}
	at, err := time.ParseDuration(base)
	shift, err2 := time.ParseDuration(offset)
	if errors.Join(err, err2) != nil {
		return 0, fmt.Errorf("%q is no moment such as 130s, 130s-1ns or 130s+1ns", text)
	}
	return at + sign*shift, nil
}

var eventToken = regexp.MustCompile(`"(?:[^"\\]|\\.)*"|,|[^\s,"]+`)

// parseEvents parses comma-separated observations.
func parseEvents(text string) ([]event, error) {
	if rest := eventToken.ReplaceAllString(text, ""); strings.TrimSpace(rest) != "" {
		return nil, fmt.Errorf("a quotation that does not end: %s", text)
	}
	if strings.TrimSpace(text) == "" {
		return nil, nil
	}
	var events []event
	var words []string
	for _, token := range append(eventToken.FindAllString(text, -1), ",") {
		if token != "," {
			words = append(words, token)
			continue
		}
		e, err := parseEvent(words)
		if err != nil {
			return nil, fmt.Errorf("%q: %w", strings.Join(words, " "), err)
		}
		events, words = append(events, e), nil
	}
	return events, nil
}

func parseEvent(words []string) (event, error) {
	if len(words) == 1 && health.ParseWord(words[0]).Known() {
		return statusFileEvent(health.StatusFile{Found: true, Contents: words[0]}), nil
	}
	if len(words) == 1 && words[0] == "restart" {
		return event{part: partRestart}, nil
	}
	if len(words) != 2 {
		return event{}, errors.New("no such observation")
	}
	value := words[1]
	switch words[0] {
	case "file":
		if value == "missing" {
			return statusFileEvent(health.StatusFile{Problem: "no such file"}), nil
		}
		contents, err := strconv.Unquote(value)
		return statusFileEvent(health.StatusFile{Found: true, Contents: contents}), err
	case "jicofo":
		answer, err := parseAnswer(value)
		return event{partJicofo, func(n *node) {
			n.jicofo.Health = answer
			if answer.OK() || !answer.Reachable() {
				n.jicofo.Stats, n.jicofo.StatsProblem = answer, ""
			}
		}}, err
	case "stats":
		if value == "invalid" {
			return event{partJicofo, func(n *node) { n.jicofo.StatsProblem = "no number: participants" }}, nil
		}
		answer, err := parseAnswer(value)
		return event{partJicofo, func(n *node) { n.jicofo.Stats, n.jicofo.StatsProblem = answer, "" }}, err
	case "participants":
		number, err := strconv.ParseFloat(value, 64)
		return event{partJicofo, func(n *node) { n.jicofo.Participants = number }}, err
	case "prosody":
		answer, err := parseAnswer(value)
		return event{partProsody, func(n *node) { n.prosody.Health = answer }}, err
	case "census":
		answer, err := parseAnswer(value)
		return event{partCensus, func(n *node) { n.census.Answer = answer }}, err
	default:
		return event{}, errors.New("no such observation")
	}
}

func statusFileEvent(f health.StatusFile) event {
	return event{partStatusFile, func(n *node) { n.statusFile = f }}
}

func parseAnswer(text string) (health.Answer, error) {
	failures := map[string]health.Failure{
		"timeout": health.FailureTimeout, "refused": health.FailureRefused, "reset": health.FailureReset,
	}
	if failure, ok := failures[text]; ok {
		return health.Answer{Failure: failure, Detail: text}, nil
	}
	code, err := strconv.Atoi(text)
	if err != nil || code < 100 || code > 599 {
		return health.Answer{}, errors.New("neither an HTTP status code nor timeout, refused or reset")
	}
	return health.Answer{Code: code}, nil
}

var agentLine = regexp.MustCompile(`^(up|down) (ready|drain|maint) (100|[1-9]?[0-9])%$`)

// expectation parses the text after the arrow or in a cell.
func (p *storyParser) expectation(text string) (*expectation, error) {
	words := strings.Fields(text)
	if len(words) > 0 && p.names[words[0]] != "" {
		words = append(strings.Fields(p.names[words[0]]), words[1:]...)
	}
	if slices.Equal(words, []string{"no", "verdict"}) {
		return &expectation{text: "no verdict"}, nil
	}
	if len(words) < 3 || !agentLine.MatchString(strings.Join(words[:3], " ")) {
		return nil, fmt.Errorf("%q starts with no agent line such as up ready 100%%", strings.TrimSpace(text))
	}
	want := expectation{text: strings.Join(words[:3], " ")}
	var damped, until, others string // independent of their order in the story
	for words = words[3:]; len(words) > 0; {
		keyword := words[0]
		if keyword == "damped" {
			damped, words = " damped", words[1:]
			continue
		}
		if len(words) < 2 {
			return nil, fmt.Errorf("%s: no such word, or nothing behind it", keyword)
		}
		value, err := parseFact(keyword, words[1])
		if err != nil {
			return nil, err
		}
		if keyword == "until" {
			until = " until " + value
		} else {
			others += " " + keyword + " " + value
			want.also = append(want.also, keyword)
		}
		words = words[2:]
	}
	want.text += damped + until + others
	return &want, nil
}

// parseFact parses the value after a keyword of an expectation and returns it in the format of describe.
func parseFact(keyword, value string) (string, error) {
	switch keyword {
	case "until", "since":
		at, err := parseMoment(value)
		return at.String(), err
	case "runs":
		_, err := strconv.Atoi(value)
		return value, err
	case "tolerated":
		for _, service := range strings.Split(value, ",") {
			if service != "none" && !slices.Contains(health.Services, service) {
				return "", fmt.Errorf("%s is no service", service)
			}
		}
	case "status":
		if !slices.Contains(health.Statuses, health.Status(value)) {
			return "", fmt.Errorf("%s is no status", value)
		}
	case "reason":
		for _, code := range strings.Split(value, ",") {
			if code != "none" && !slices.Contains(health.Codes, health.Code(code)) {
				return "", fmt.Errorf("%s is no declared reason", code)
			}
		}
	default:
		return "", fmt.Errorf("%s: no such word in an expectation", keyword)
	}
	return value, nil
}

// describe returns the verdict of a snapshot in the syntax of a story, with only the optional facts that the
// expectation contains.
func (e expectation) describe(s *health.Snapshot, zero time.Time) string {
	v := s.Verdict
	if !v.Known {
		return "no verdict"
	}
	text := strings.TrimSuffix(string(s.AgentLine), "\n")
	if v.Damped {
		text += " damped"
	}
	if !v.Until.IsZero() {
		text += " until " + v.Until.Sub(zero).String()
	}
	for _, keyword := range e.also {
		text += " " + keyword + " " + fact(keyword, s, zero)
	}
	return text
}

func fact(keyword string, s *health.Snapshot, zero time.Time) string {
	reasons := s.Verdict.Reasons
	switch keyword {
	case "runs":
		return strconv.Itoa(s.UnhealthyRuns)
	case "status":
		return string(s.Verdict.Status)
	case "tolerated":
		var services []string
		for _, t := range s.Verdict.Tolerated {
			services = append(services, t.Service)
		}
		return cmp.Or(strings.Join(services, ","), "none")
	case "since":
		if len(reasons) == 0 {
			return "never"
		}
		return reasons[0].Since.Sub(zero).String()
	default:
		var codes []string
		for _, r := range reasons {
			codes = append(codes, string(r.Code))
		}
		if codes == nil {
			return "none"
		}
		return strings.Join(codes, ",")
	}
}
