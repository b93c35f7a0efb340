package signalnode

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"
)

// ParseBehavior reads a behavior as written in a command:
//
//	healthy
//	code <200-599>
//	body <text>
//	notjson
//	redirect <1-1000>, or redirect loop
//	hang
//	slow <duration>
//	drip
//	huge
//	truncate
//	reset, or reset <1-1000000>
//	close
//	garbage
//
// White space around the words is ignored, except within and after the text of body. The error is one line with the
// value and what is accepted.
func ParseBehavior(s string) (Behavior, error) {
	kind, argument := strings.TrimLeft(s, whiteSpace), ""
	if i := strings.IndexAny(kind, whiteSpace); i >= 0 {
		kind, argument = kind[:i], kind[i+1:]
	}
	if kind != kindBody {
		argument = strings.Trim(argument, whiteSpace)
	}
	for _, f := range forms {
		if f.kind != kind {
			continue
		}
		b, err := f.parse(argument)
		if err != nil {
			return Behavior{}, fmt.Errorf("behavior %.100q: %w; accepted: %s", s, err, f.usage)
		}
		return b, nil
	}
	return Behavior{}, fmt.Errorf("behavior %.100q is not known; accepted: %s", s, usages())
}

// MustParseBehavior is ParseBehavior for literals: it panics if s is not a behavior.
func MustParseBehavior(s string) Behavior {
	b, err := ParseBehavior(s)
	if err != nil {
		panic("signalnode: " + err.Error())
	}
	return b
}

const whiteSpace = " \t\r\n"

func usages() string {
	all := make([]string, len(forms))
	for i, f := range forms {
		all[i] = f.usage
	}
	return strings.Join(all, ", ")
}

func (f form) parse(argument string) (Behavior, error) {
	if f.read != nil {
		return f.read(argument)
	}
	if argument != "" {
		return Behavior{}, errors.New("it takes no argument")
	}
	if f.kind == kindHealthy {
		return Behavior{}, nil
	}
	return Behavior{kind: f.kind}, nil
}

func readCode(argument string) (Behavior, error) {
	n, err := number(argument, 200, 599)
	return Behavior{kind: kindCode, argument: strconv.Itoa(n), number: n}, err
}

func readBody(argument string) (Behavior, error) {
	return Behavior{kind: kindBody, argument: argument}, nil
}

func readRedirect(argument string) (Behavior, error) {
	if argument == loop {
		return Behavior{kind: kindRedirect, argument: loop}, nil
	}
	n, err := number(argument, 1, 1000)
	return Behavior{kind: kindRedirect, argument: strconv.Itoa(n), number: n}, err
}

func readSlow(argument string) (Behavior, error) {
	d, err := time.ParseDuration(argument)
	if err != nil {
		return Behavior{}, fmt.Errorf("%.100q is not a duration", argument)
	}
	if d <= 0 {
		return Behavior{}, errors.New("the duration must be positive")
	}
	return Behavior{kind: kindSlow, argument: d.String(), delay: d}, nil
}

func readReset(argument string) (Behavior, error) {
	if argument == "" {
		return Behavior{kind: kindReset}, nil
	}
	n, err := number(argument, 1, 1_000_000)
	return resets(n), err
}

// resets returns the behavior with n resets to go.
func resets(n int) Behavior {
	if n == 0 {
		return Behavior{}
	}
	return Behavior{kind: kindReset, argument: strconv.Itoa(n), number: n}
}

func number(s string, least, most int) (int, error) {
	n, err := strconv.Atoi(s)
	if err != nil || n < least || n > most {
		return 0, fmt.Errorf("%.100q is not a number from %d to %d", s, least, most)
	}
	return n, nil
}
