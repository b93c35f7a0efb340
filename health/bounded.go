package health

import "strings"

// The bounds of what is kept of an observation, in bytes.
const (
	maxKeptContents = 256
	maxKeptDetail   = 1024
)

// Bounded returns the observation as it is kept and recorded: without the rooms of the census (up to 32 MiB) and with
// long texts cut. Nothing that a verdict depends on is left out.
func (o Observation) Bounded() Observation {
	o.Jicofo, o.Prosody = o.Jicofo.bounded(), o.Prosody.bounded()
	o.StatusFile, o.Census = o.StatusFile.bounded(), o.Census.bounded()
	return o
}

func (o Observation) empty() bool {
	return o.Jicofo == nil && o.Prosody == nil && o.StatusFile == nil && o.Census == nil
}

// bounded returns a copy of the machine that keeps nothing large alive.
func (m *Machine) bounded() Machine {
	short := *m
	short.jicofo, short.prosody = m.jicofo.bounded(), m.prosody.bounded()
	short.statusFile, short.census = m.statusFile.bounded(), m.census.bounded()
	return short
}

func (j *Jicofo) bounded() *Jicofo {
	if j == nil || len(j.Contents) <= maxKeptContents && len(j.StatsProblem) <= maxKeptDetail && j.Health.short() && j.Stats.short() {
		return j
	}
	short := *j
	short.Contents, short.StatsProblem = cut(j.Contents, maxKeptContents), cut(j.StatsProblem, maxKeptDetail)
	short.Health.Detail, short.Stats.Detail = cut(j.Health.Detail, maxKeptDetail), cut(j.Stats.Detail, maxKeptDetail)
	return &short
}

func (p *Prosody) bounded() *Prosody {
	if p == nil || p.Health.short() {
		return p
	}
	short := *p
	short.Health.Detail = cut(p.Health.Detail, maxKeptDetail)
	return &short
}

func (s *StatusFile) bounded() *StatusFile {
	if s == nil || len(s.Problem) <= maxKeptDetail {
		return s
	}
	short := *s
	short.Problem = cut(s.Problem, maxKeptDetail)
	return &short
}

func (c *Census) bounded() *Census {
	if c == nil || c.Rooms == nil && len(c.Problem) <= maxKeptDetail && c.Answer.short() {
		return c
	}
	short := *c
	short.Rooms = nil
	short.Problem, short.Answer.Detail = cut(c.Problem, maxKeptDetail), cut(c.Answer.Detail, maxKeptDetail)
	return &short
}

func (a Answer) short() bool { return len(a.Detail) <= maxKeptDetail }

// cut returns the beginning of a text; a copy, because a part of a string keeps all of it alive.
func cut(text string, limit int) string {
	if len(text) <= limit {
		return text
	}
	return strings.ToValidUTF8(strings.Clone(text[:limit]), "")
}
