package health

import "strings"

// The bounds of what is kept of an observation, in bytes.
const (
	maxKeptContents = 256
	maxKeptDetail   = 1024
)

// bounded returns a copy of the machine without large texts and without the rooms of the census.
func (m *Machine) bounded() Machine {
	short := *m
	short.latest = m.latest.Bounded()
	short.jicofoRefusal.seen, short.prosodyRefusal.seen = m.jicofoRefusal.seen.bounded(), m.prosodyRefusal.seen.bounded()
	return short
}

func (a Answer) bounded() Answer {
	a.Detail, a.Error = cut(a.Detail, maxKeptDetail), cut(a.Error, maxKeptDetail)
	return a
}

func (j *Jicofo) bounded() *Jicofo {
	if j == nil {
		return nil
	}
	short := *j
	short.Contents, short.StatsProblem = cut(j.Contents, maxKeptContents), cut(j.StatsProblem, maxKeptDetail)
	short.Health, short.Stats = j.Health.bounded(), j.Stats.bounded()
	return &short
}

func (p *Prosody) bounded() *Prosody {
	if p == nil {
		return nil
	}
	short := *p
	short.Health = p.Health.bounded()
	return &short
}

func (s *StatusFile) bounded() *StatusFile {
	if s == nil {
		return nil
	}
	short := *s
	short.Problem = cut(s.Problem, maxKeptDetail)
	return &short
}

func (c *Census) bounded() *Census {
	if c == nil {
		return nil
	}
	short := *c
	short.Rooms, short.Problem, short.Answer = nil, cut(c.Problem, maxKeptDetail), c.Answer.bounded()
	return &short
}

// cut returns at most the first limit bytes of a text. It copies them: a substring would keep the whole text in memory.
func cut(text string, limit int) string {
	if len(text) <= limit {
		return text
	}
	return strings.ToValidUTF8(strings.Clone(text[:limit]), "")
}
