package health

import "strings"

// Word is what an operator wrote into the status file.
type Word string

// The words of the status file; anything else is WordUnknown.
const (
	WordUnknown   Word = "unknown"
	WordReady     Word = "ready"
	WordDrain     Word = "drain"
	WordMaint     Word = "maint"
	WordUnhealthy Word = "unhealthy"
)

// TrimStatus removes from both ends of a status file's contents what JavaScript's trim removes: the WhiteSpace and
// LineTerminator of ECMAScript. Unlike strings.TrimSpace it removes a byte order mark, and keeps U+0085.
func TrimStatus(contents string) string {
	return strings.TrimFunc(contents, isSpace)
}

// ParseWord reads the contents of a status file: trimmed as TrimStatus does, case-insensitive (spec section 2).
func ParseWord(contents string) Word {
	switch w := Word(strings.ToLower(TrimStatus(contents))); w {
	case WordReady, WordDrain, WordMaint, WordUnhealthy:
		return w
	default:
		return WordUnknown
	}
}

// Known reports whether the word is one of the four that an operator can mean.
func (w Word) Known() bool { return w != WordUnknown && w != "" }

// Status is the drain state of the node as it is reported.
type Status string

// The drain states (spec section 3).
const (
	StatusUnknown Status = "unknown"
	StatusReady   Status = "ready"
	StatusDrain   Status = "drain"
	StatusMaint   Status = "maint"
)

// Statuses lists every Status, for metrics that show all of them.
var Statuses = []Status{StatusReady, StatusDrain, StatusMaint, StatusUnknown}

// status is what the word alone says about the node.
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

// agentWord is the administrative word of an agent reply; HAProxy has none for unknown, and the safe one is drain.
func (s Status) agentWord() Status {
	if s == StatusUnknown {
		return StatusDrain
	}
	return s
}
