package health

import (
	"fmt"
	"strings"
	"unicode"
)

// maxWords limits the quoted part of an answer's body, in characters.
const maxWords = 200

// Describe describes a complete answer for reasons and logs: "answered CODE". If the probe did not find what it should,
// the text quotes the body: "answered 500: No operational bridges available". The text is one printable line and quotes
// at most 200 characters. A body that begins with "<" is HTML or XML and is not quoted.
func (a Answer) Describe() string {
	text := fmt.Sprintf("answered %d", a.Code)
	if a.Exchange == nil {
		return text
	}
	words := []rune(OneLine(a.Exchange.Body))
	if len(words) == 0 || words[0] == '<' {
		return text
	}
	if len(words) > maxWords {
		words = append(words[:maxWords-3], '.', '.', '.')
	}
	return text + ": " + string(words)
}

// OneLine makes an external text safe for a terminal and a log. White space becomes a single space. Other characters
// that are not printable (control characters, escape sequences, marks that reorder text) become question marks.
func OneLine(text string) string {
	printable := func(r rune) rune {
		if unicode.IsPrint(r) {
			return r
		}
		return '?'
	}
	return strings.Map(printable, strings.Join(strings.FieldsFunc(text, isSpace), " "))
}

// isSpace reports whether JavaScript's trim would remove the character.
func isSpace(r rune) bool {
	return strings.ContainsRune("\t\v\f\n\r\u2028\u2029\uFEFF", r) || unicode.Is(unicode.Zs, r)
}

// missing describes why a service gave no complete answer.
func (a Answer) missing(service string) string {
	if a.Error == "" { // Detail is not a phrase
		return service + ": " + a.Detail
	}
	return service + " " + a.Detail
}
