package health

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf16"
	"unicode/utf8"
)

// Escape makes a text from outside safe to print: it replaces each character that can control a terminal or reorder
// what it shows by its \u escape, such as \u001b. These are the control characters (C0, DEL and C1) other than tab and
// line feed, the format characters, and the line and paragraph separators. The escapes are those of JSON, so JSON keeps
// its meaning. Invalid UTF-8 becomes U+FFFD.
func Escape(text string) string {
	if utf8.ValidString(text) && !strings.ContainsFunc(text, unsafe) {
		return text
	}
	var b strings.Builder
	for _, r := range text { // it returns U+FFFD for invalid UTF-8
		switch {
		case !unsafe(r):
			b.WriteRune(r)
		case r < 0x10000:
			fmt.Fprintf(&b, `\u%04x`, r)
		default:
			high, low := utf16.EncodeRune(r)
			fmt.Fprintf(&b, `\u%04x\u%04x`, high, low)
		}
	}
	return b.String()
}

// EscapeLine is Escape for a text that must stay in its line and its column: tabs and line feeds become \t and \n.
func EscapeLine(text string) string {
	return strings.NewReplacer("\t", `\t`, "\n", `\n`).Replace(Escape(text))
}

// unsafe reports whether Escape replaces a character.
func unsafe(r rune) bool {
	return r != '\t' && r != '\n' && unicode.In(r, unicode.Cc, unicode.Cf, unicode.Zl, unicode.Zp)
}
