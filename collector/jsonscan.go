package collector

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
)

// jsonScan reads one JSON document as its body comes in, without a copy of anything. It takes and refuses exactly what
// encoding/json does, which FuzzParseCensus holds it to.
type jsonScan struct {
	body *body
	at   int // bytes of the body that have been taken
}

// maxJSONDepth is encoding/json's.
const maxJSONDepth = 10_000

var (
	errJSONEnd   = errors.New("the text ends within it")
	errJSONDepth = errors.New("it is nested too deeply")
)

// peek returns the byte that comes next, 0 at the end.
func (s *jsonScan) peek() byte {
	if s.at == len(s.body.read) && !s.body.more() {
		return 0
	}
	return s.body.read[s.at]
}

// next skips white space and returns the byte that comes then, 0 at the end.
func (s *jsonScan) next() byte {
	for {
		switch c := s.peek(); c {
		case ' ', '\t', '\r', '\n':
			s.at++
		default:
			return c
		}
	}
}

// unexpected is the error about the byte that comes next.
func (s *jsonScan) unexpected() error {
	if s.peek(); s.at == len(s.body.read) {
		return errJSONEnd
	}
	return fmt.Errorf("unexpected %q at byte %d", s.body.read[s.at], s.at)
}

// end expects nothing but white space.
func (s *jsonScan) end() error {
	if s.next(); s.at < len(s.body.read) {
		return s.unexpected()
	}
	return nil
}

// value skips a value that lies within so many arrays and objects, and returns it. What is returned stays as it is,
// whatever is read later.
func (s *jsonScan) value(depth int) (raw []byte, err error) {
	c := s.next()
	start := s.at
	switch {
	case c == '{' || c == '[':
		err = s.composite(depth)
	case c == '"':
		err = s.text()
	case c == '-' || isDigit(c):
		err = s.number()
	case c == 't':
		err = s.literal("true")
	case c == 'f':
		err = s.literal("false")
	case c == 'n':
		err = s.literal("null")
	default:
		err = s.unexpected()
	}
	return s.body.read[start:s.at:s.at], err
}

// composite skips an array or an object.
func (s *jsonScan) composite(depth int) error {
	if depth >= maxJSONDepth {
		return errJSONDepth
	}
	open := s.open()
	for first := true; ; first = false {
		if more, err := s.element(first, open); err != nil || !more {
			return err
		}
		if open == '{' {
			if _, err := s.key(); err != nil {
				return err
			}
		}
		if _, err := s.value(depth + 1); err != nil {
			return err
		}
	}
}

// open takes the bracket or brace that comes next, and returns it.
func (s *jsonScan) open() byte {
	s.at++
	return s.body.read[s.at-1]
}

// element moves to the next element of the array or object that open began; false at its end.
func (s *jsonScan) element(first bool, open byte) (bool, error) {
	switch c := s.next(); {
	case c == open+2: // as ASCII has it: [ ] and { }
		s.at++
		return false, nil
	case first:
		return true, nil
	case c != ',':
		return false, s.unexpected()
	}
	s.at++
	return true, nil
}

// key takes the key of an object's member and the colon after it.
func (s *jsonScan) key() (raw []byte, err error) {
	if s.next() != '"' {
		return nil, s.unexpected()
	}
	start := s.at
	if err := s.text(); err != nil {
		return nil, err
	}
	end := s.at
	if s.next() != ':' {
		return nil, s.unexpected()
	}
	s.at++
	return s.body.read[start:end], nil
}

// isKey reports whether a key, as it is written, is that name, which needs no escapes.
func isKey(raw []byte, name string) bool {
	if bytes.IndexByte(raw, '\\') < 0 {
		return string(raw[1:len(raw)-1]) == name
	}
	var key string
	return json.Unmarshal(raw, &key) == nil && key == name
}

// text skips a string.
func (s *jsonScan) text() error {
	for s.at++; ; s.at++ {
		s.at += plain(s.body.read[s.at:])
		switch c := s.peek(); {
		case c == '"':
			s.at++
			return nil
		case c < ' ':
			return s.unexpected()
		case c == '\\':
			s.at++
			if err := s.escape(); err != nil {
				return err
			}
		}
	}
}

// plain counts the bytes before the first that means something within a string.
func plain(text []byte) int {
	for i, c := range text {
		if c == '"' || c == '\\' || c < ' ' {
			return i
		}
	}
	return len(text)
}

// escape skips what follows a backslash, but for its last byte.
func (s *jsonScan) escape() error {
	switch s.peek() {
	case '"', '\\', '/', 'b', 'f', 'n', 'r', 't':
		return nil
	case 'u':
	default:
		return s.unexpected()
	}
	for range 4 {
		s.at++
		if c := s.peek(); !isDigit(c) && (c|0x20 < 'a' || c|0x20 > 'f') {
			return s.unexpected()
		}
	}
	return nil
}

// number skips a number.
func (s *jsonScan) number() error {
	if s.peek() == '-' {
		s.at++
	}
	if s.peek() == '0' {
		s.at++
	} else if err := s.digits(); err != nil {
		return err
	}
	if s.peek() == '.' {
		s.at++
		if err := s.digits(); err != nil {
			return err
		}
	}
	if s.peek()|0x20 != 'e' {
		return nil
	}
	s.at++
	if c := s.peek(); c == '+' || c == '-' {
		s.at++
	}
	return s.digits()
}

// digits skips one digit or more.
func (s *jsonScan) digits() error {
	if !isDigit(s.peek()) {
		return s.unexpected()
	}
	for isDigit(s.peek()) {
		s.at++
	}
	return nil
}

func (s *jsonScan) literal(word string) error {
	for i := range len(word) {
		if s.peek() != word[i] {
			return s.unexpected()
		}
		s.at++
	}
	return nil
}

func isDigit(c byte) bool { return '0' <= c && c <= '9' }
