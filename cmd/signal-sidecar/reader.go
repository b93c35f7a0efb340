package main

import (
	"fmt"
	"reflect"

	"github.com/alecthomas/kong"
)

// value is a setting as it was given, and where: flag, environment, the name of a file, or default.
type value struct{ raw, origin string }

// reader turns the settings' texts into values and keeps every problem.
type reader struct {
	names    []string // variables, in the order of --help
	values   map[string]value
	problems []error
}

func newReader(ctx *kong.Context, env *environment) *reader {
	r := &reader{values: map[string]value{}}
	for _, f := range ctx.Model.Flags {
		if f.Group == nil { // --help or --version
			continue
		}
		raw := reflect.ValueOf(ctx.FlagValue(f)).String()
		v := value{raw, env.origin(ctx, f)}
		if raw == "" && f.HasDefault { // given, but empty
			v = value{f.Default, "default"}
		}
		name := variable(f.Name)
		r.names = append(r.names, name)
		r.values[name] = v
	}
	return r
}

// read parses one setting. A problem is kept, and the zero value returned.
func read[T any](r *reader, name string, parse func(string) (T, error)) T {
	v, ok := r.values[name]
	if !ok {
		panic("no such setting: " + name)
	}
	parsed, err := parse(v.raw)
	if err != nil {
		r.problem(name, v, err)
	}
	return parsed
}

// settingError says what is wrong with one setting, and what would be accepted.
type settingError struct {
	name     string
	value    value
	accepted error
}

func (e *settingError) Error() string {
	return fmt.Sprintf("%s=%q (%s): must be %s", e.name, shown(e.name, e.value.raw), e.value.origin, e.accepted)
}

func (r *reader) problem(name string, v value, accepted error) {
	r.problems = append(r.problems, &settingError{name, v, accepted})
}
