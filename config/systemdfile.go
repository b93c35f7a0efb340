package config

import (
	"fmt"
	"regexp"
	"strings"
	"unicode"
	"unicode/utf8"
)

// The characters that begin a comment, end a line, are white space, and can be escaped in double quotes (systemd,
// src/basic/env-file.c).
const (
	systemdComments   = "#;"
	systemdNewlines   = "\n\r"
	systemdWhitespace = " \t\n\r"
	systemdEscapes    = "\"\\`$"
)

// The states of the scan have the names of systemd's.
type systemdState int

const (
	preKey systemdState = iota
	inKey
	preValue
	inValue
	valueEscape
	singleQuote
	doubleQuote
	doubleQuoteEscape
	inComment
	commentEscape
)

// systemdScan reads variables as systemd reads an EnvironmentFile=. It has systemd's state machine, so that unusual
// files have the same result.
type systemdScan struct {
	state      systemdState
	key, value []byte
	keyEnd     int // length of key without trailing white space, -1 without such white space
	valueEnd   int // the same for value
	line       int
	begin      int // line of key
	file       envFile
	err        error
}

// parseSystemd parses variables by the rules of EnvironmentFile= in systemd.exec(5). It adds a notice for what systemd
// ignores. It returns an error if systemd ignores the whole file.
func parseSystemd(content string) (envFile, error) {
	s := &systemdScan{line: 1, file: envFile{values: map[string]string{}}}
	for _, c := range []byte(content) {
		s.next(c)
		if c == '\n' {
			s.line++
		}
	}
	switch s.state {
	case singleQuote, doubleQuote, doubleQuoteEscape:
		s.notice("line %d: the quote of this variable's value does not end, so the rest of the file belongs to it", s.begin)
		s.push(false)
	case inValue:
		s.push(true)
	case preValue, valueEscape:
		s.push(false)
	case inKey:
		s.notice("line %d has no =, so it is ignored", s.begin)
	default:
	}
	return s.file, s.err
}

// next processes one byte.
func (s *systemdScan) next(c byte) {
	switch s.state {
	case preKey, inKey:
		s.nextOfKey(c)
	case preValue, inValue, valueEscape:
		s.nextOfValue(c)
	case singleQuote, doubleQuote, doubleQuoteEscape:
		s.nextQuoted(c)
	case inComment:
		if c == '\\' {
			s.state = commentEscape
		} else if isIn(systemdNewlines, c) {
			s.state = preKey
		}
	case commentEscape: // as in systemd 254 and later; before, the comment continued
		s.state = inComment
		if isIn(systemdNewlines, c) {
			s.notice("line %d is a comment that ends with a backslash: systemd before version 254 ignores the next line too",
				s.line)
			s.state = preKey
		}
	}
}

func (s *systemdScan) nextOfKey(c byte) {
	switch {
	case s.state == preKey && isIn(systemdComments, c):
		s.state = inComment
	case s.state == preKey && isIn(systemdWhitespace, c):
	case s.state == preKey:
		s.state, s.begin = inKey, s.line
		s.key, s.keyEnd = append(s.key[:0], c), -1
	case isIn(systemdNewlines, c):
		s.notice("line %d has no =, so it is ignored", s.begin)
		s.state = preKey
	case c == '=':
		s.state = preValue
		s.value, s.valueEnd = s.value[:0], -1
	default:
		s.keyEnd = endWithout(s.key, s.keyEnd, c)
		s.key = append(s.key, c)
	}
}

func (s *systemdScan) nextOfValue(c byte) {
	switch {
	case s.state == valueEscape:
		s.state = inValue
		if !isIn(systemdNewlines, c) {
			s.value = append(s.value, c)
		}
	case isIn(systemdNewlines, c):
		s.push(s.state == inValue)
		s.state = preKey
	case c == '\\':
		s.state = valueEscape
		s.valueEnd = -1
	case s.state == preValue && c == '\'':
		s.state = singleQuote
	case s.state == preValue && c == '"':
		s.state = doubleQuote
	case s.state == preValue && isIn(systemdWhitespace, c):
	default:
		if s.state == inValue {
			s.valueEnd = endWithout(s.value, s.valueEnd, c)
		}
		s.state = inValue
		s.value = append(s.value, c)
	}
}

func (s *systemdScan) nextQuoted(c byte) {
	switch {
	case s.state == doubleQuoteEscape:
		s.state = doubleQuote
		if isIn(systemdEscapes, c) {
			s.value = append(s.value, c)
		} else if c != '\n' {
			s.value = append(s.value, '\\', c)
		}
	case s.state == singleQuote && c == '\'', s.state == doubleQuote && c == '"':
		s.state = preValue
	case s.state == doubleQuote && c == '\\':
		s.state = doubleQuoteEscape
	default:
		s.value = append(s.value, c)
	}
}

var systemdName = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*$`)

// push stores the scanned variable. trim removes white space from the end of its value.
func (s *systemdScan) push(trim bool) {
	if s.keyEnd >= 0 {
		s.key = s.key[:s.keyEnd]
	}
	if trim && s.valueEnd >= 0 {
		s.value = s.value[:s.valueEnd]
	}
	name, value := string(s.key), string(s.value)
	switch {
	case !systemdUTF8(name) || !systemdUTF8(value):
		if s.err == nil {
			s.err = fmt.Errorf("line %d is not UTF-8", s.begin)
		}
	case !systemdName.MatchString(name):
		s.notice("line %d has no name of a variable before its =, so it is ignored", s.begin)
	default:
		s.file.values[name] = value
	}
}

func (s *systemdScan) notice(format string, args ...any) {
	s.file.notices = append(s.file.notices, fmt.Sprintf(format, args...))
}

// endWithout returns the length of a text without trailing white space, after c is appended to it. It returns -1 if c
// is another character.
func endWithout(text []byte, end int, c byte) int {
	switch {
	case !isIn(systemdWhitespace, c):
		return -1
	case end < 0:
		return len(text)
	default:
		return end
	}
}

func isIn(set string, c byte) bool { return strings.IndexByte(set, c) >= 0 }

// systemdUTF8 reports whether systemd accepts a text as UTF-8. systemd rejects Unicode's noncharacters.
func systemdUTF8(text string) bool {
	return utf8.ValidString(text) && !strings.ContainsFunc(text, func(r rune) bool {
		return unicode.Is(unicode.Noncharacter_Code_Point, r)
	})
}
