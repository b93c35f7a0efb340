package config

import (
	"fmt"
	"reflect"

	"github.com/alecthomas/kong"
)

// originDefault is the origin of a value that is a default.
const originDefault = "default"

// value is the text of a setting and its origin: "flag", "environment", the name of a file, or originDefault.
type value struct{ text, origin string }

// reader parses the texts of the settings and collects all problems.
type reader struct {
	values   map[string]value // by variable
	problems []error
}

func newReader(ctx *kong.Context, env *Environment) *reader {
	r := &reader{values: map[string]value{}}
	for _, f := range ctx.Model.Flags {
		if f.Group == nil { // --help or --version
			continue
		}
		v := value{reflect.ValueOf(ctx.FlagValue(f)).String(), env.origin(ctx, f)}
		if v.text == "" && f.HasDefault { // set, but empty
			v = value{f.Default, originDefault}
		}
		r.values[Variable(f.Name)] = v
	}
	if env.file == packagedFile && r.values[envFileName].origin == originDefault {
		r.values[envFileName] = value{packagedFile, "package"}
	}
	return r
}

// read parses one setting into c, or records a problem.
func (r *reader) read(c *Config, d declaration) {
	v := r.values[d.name]
	if d.hidden && v.text == "" {
		return
	}
	if err := d.parse(c, v.text); err != nil {
		r.problem(d.name, v, err)
	}
}

// Error is a problem with one setting.
type Error struct {
	name     string
	value    value
	accepted error
}

// NewError returns the problem with a setting or flag; accepted follows "must be".
func NewError(name, text, origin string, accepted error) *Error {
	return &Error{name, value{text, origin}, accepted}
}

func (e *Error) Error() string {
	return fmt.Sprintf("%s=%q (%s): must be %s", e.name, maskedRefused(e.name, e.value.text), e.value.origin, e.accepted)
}

func (r *reader) problem(name string, v value, accepted error) {
	r.problems = append(r.problems, &Error{name, v, accepted})
}
