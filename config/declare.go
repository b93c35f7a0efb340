package config

import (
	"fmt"
	"reflect"
	"strconv"
	"strings"

	"github.com/alecthomas/kong"
)

// declaration is a setting.
type declaration struct {
	name, initial     string // the variable, and its default
	placeholder, help string
	boolean           bool
	hidden            bool
	needed            func(*Config) bool // nil for a setting that is always read
	parse             func(c *Config, text string) error
}

// declare declares a setting whose value is stored in a field.
func declare[T any](
	name, initial, placeholder, help string, parse func(string) (T, error), field func(*Config) *T,
) declaration {
	_, boolean := any(*new(T)).(bool)
	return declaration{name: name, initial: initial, placeholder: placeholder, help: help, boolean: boolean,
		parse: func(c *Config, text string) (err error) {
			*field(c), err = parse(text)
			return err
		}}
}

// alias hides a setting that is an alias of another one. It is read only if it is set.
func (d declaration) alias() declaration {
	d.hidden = true
	return d
}

// neededFor declares that a setting is read only while a condition is true.
func (d declaration) neededFor(condition func(*Config) bool) declaration {
	d.needed = condition
	return d
}

// flagName returns the name of the flag, without the dashes.
func (d declaration) flagName() string { return strings.ToLower(strings.ReplaceAll(d.name, "_", "-")) }

// Variable returns the environment variable of a flag.
func Variable(flagName string) string { return strings.ToUpper(strings.ReplaceAll(flagName, "-", "_")) }

// text is the raw text of a setting.
type text string

// boolText is the raw text of a boolean setting. A --flag without a value means true.
type boolText string

// IsBool implements kong.BoolMapperValue.
func (*boolText) IsBool() bool { return true }

// Decode implements kong.MapperValue.
func (b *boolText) Decode(ctx *kong.DecodeContext) error { //nolint:unparam // kong's interface
	*b = "true"
	if ctx.Scan.Peek().Type == kong.FlagValueToken {
		*b = boolText(ctx.Scan.Pop().String())
	}
	return nil
}

// Flags returns the flags of all settings for kong. It reads them as text, so that Load can parse them and report all
// problems at once.
func Flags() kong.Plugins {
	var fields []reflect.StructField
	for _, s := range sections {
		for _, d := range s.settings {
			tag := fmt.Sprintf("name:%q group:%q help:%s", d.flagName(), s.Key, strconv.Quote(d.help))
			if d.initial != "" {
				tag += fmt.Sprintf(" default:%q", d.initial)
			}
			if d.placeholder != "" {
				tag += fmt.Sprintf(" placeholder:%q", d.placeholder)
			}
			if d.hidden {
				tag += ` hidden:""`
			}
			field := reflect.StructField{Name: d.name, Type: reflect.TypeFor[text](), Tag: reflect.StructTag(tag)}
			if d.boolean {
				field.Type = reflect.TypeFor[boolText]()
			}
			fields = append(fields, field)
		}
	}
	return kong.Plugins{reflect.New(reflect.StructOf(fields)).Interface()}
}

// Groups returns the headings of --help.
func Groups() (all []kong.Group) {
	for _, s := range sections {
		all = append(all, s.Group)
	}
	return all
}

// HelpWithVariable adds the environment variable and the default to the help of a flag.
func HelpWithVariable(v *kong.Value) string {
	if v.Flag == nil || v.Flag.Group == nil {
		return v.Help
	}
	help := v.Help + " " + Variable(v.Name)
	if v.HasDefault {
		help += " [" + v.Default + "]"
	}
	return help
}
