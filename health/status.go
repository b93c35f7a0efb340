package health

import "strings"

// Word is the word that an operator wrote into the status file.
type Word string

// The words of the status file. Anything else is WordUnknown.
const (
	WordUnknown   Word = "unknown"
	WordReady     Word = "ready"
	WordDrain     Word = "drain"
	WordMaint     Word = "maint"
	WordUnhealthy Word = "unhealthy"
)

// TrimStatus removes the characters from both ends of a status file's contents that JavaScript's trim removes:
// WhiteSpace and LineTerminator of ECMAScript. Unlike strings.TrimSpace it removes a byte order mark and keeps U+0085.
func TrimStatus(contents string) string {
	return strings.TrimFunc(contents, isSpace)
}

// ParseWord parses the contents of a status file. It trims them with TrimStatus and ignores case.
func ParseWord(contents string) Word {
	switch w := Word(strings.ToLower(TrimStatus(contents))); w {
	case WordReady, WordDrain, WordMaint, WordUnhealthy:
		return w
	default:
		return WordUnknown
	}
}

// Known reports whether the word is one of the four known words.
func (w Word) Known() bool { return w != WordUnknown && w != "" }

// Status is the reported drain state of the node.
type Status string

// The drain states.
const (
	StatusUnknown Status = "unknown"
	StatusReady   Status = "ready"
	StatusDrain   Status = "drain"
	StatusMaint   Status = "maint"
)

// Statuses lists every Status, for metrics that export all of them.
var Statuses = []Status{StatusReady, StatusDrain, StatusMaint, StatusUnknown}

// status returns the drain state for the word alone.
func (w Word) status() Status {
	switch w {
	case WordReady:
		return StatusReady
	case WordDrain, WordUnhealthy:
		return StatusDrain
	case WordMaint:
		return StatusMaint
	default:
		return StatusUnknown
	}
}

// agentWord returns the administrative word of an agent reply. HAProxy has no word for unknown; drain is the safe one.
func (s Status) agentWord() Status {
	if s == StatusUnknown {
		return StatusDrain
	}
	return s
}
