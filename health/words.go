package health

import (
	"fmt"
	"strings"
	"unicode"
)

// maxWords bounds, in characters, what is quoted of an answer's body.
const maxWords = 200

// Describe returns what a complete answer was, for reasons and logs: "answered CODE", and of one that did not find what it
// should, the words of its body: "answered 500: No operational bridges available". It is one line, printable, and quotes at
// most 200 characters. A body that begins with "<" is a page or XML and is not quoted.
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

// OneLine makes a text from outside fit for a terminal and a log: white space becomes a single space, and what else is not
// printable (control characters, escape sequences, marks that reorder text) becomes a question mark.
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
