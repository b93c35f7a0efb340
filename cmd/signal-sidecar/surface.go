package main

import (
	"slices"
	"strings"

	"github.com/alecthomas/kong"

	"github.com/signal-sidecar/signal-sidecar/config"
)

// surface is the command line in the form of the completions' and the manual page's templates: kong's model of it,
// without hidden flags.
type surface struct {
	Name, About string
	Globals     []option // the flags of every command that are not settings
	Commands    []command
	Groups      []group
}

// command is a subcommand.
type command struct {
	Name, Help string
	Default    bool // runs when no command is named
	Settings   bool // takes the settings
	Flags      []option
	Operands   []option
}

// group is a heading of --help and the settings below it.
type group struct {
	Title, About string
	Flags        []option
}

// option is a flag or an operand.
type option struct {
	Name, Help        string
	Short             string // empty if there is none
	Value             string // a placeholder in capitals with the unit, or the accepted words, separated by |
	Words             []string
	Bool              bool // true without a value
	Repeated          bool
	Variable, Default string // only for settings
}

func newSurface(app *kong.Application) surface {
	s := surface{Name: app.Name, About: app.Help}
	for _, node := range app.Leaves(true) {
		c := command{
			Name: node.Name, Help: node.Help,
			Default: node == app.DefaultCmd, Settings: !node.Tag.Has(config.NoSettings),
		}
		for _, f := range node.Flags {
			c.Flags = append(c.Flags, newOption(f.Value))
		}
		for _, operand := range node.Positional {
			c.Operands = append(c.Operands, newOption(operand))
		}
		s.Commands = append(s.Commands, c)
	}
	for i, c := range s.Commands {
		if c.Name == "help" {
			s.Commands[i].Operands[0].Words = names(s.Commands)
		}
	}
	for _, g := range config.Groups() {
		s.Groups = append(s.Groups, group{Title: strings.TrimSuffix(g.Title, ":"), About: g.Description})
	}
	for _, f := range app.Flags {
		if f.Group == nil {
			s.Globals = append(s.Globals, newOption(f.Value))
		} else if !f.Hidden {
			i := slices.IndexFunc(config.Groups(), func(g kong.Group) bool { return g.Key == f.Group.Key })
			s.Groups[i].Flags = append(s.Groups[i].Flags, newOption(f.Value))
		}
	}
	return s
}

func names(commands []command) (all []string) {
	for _, c := range commands {
		all = append(all, c.Name)
	}
	return all
}

func newOption(v *kong.Value) option {
	o := option{
		Name: v.Name, Help: v.Help, Bool: v.IsBool(), Repeated: v.IsCumulative(),
		Default: v.Default, Value: strings.ToUpper(v.Name),
	}
	if v.Enum != "" {
		o.Words = v.EnumSlice()
		o.Value = strings.Join(o.Words, "|")
	}
	if f := v.Flag; f != nil {
		if !o.Bool {
			o.Value = f.FormatPlaceHolder()
		}
		if f.Short != 0 {
			o.Short = string(f.Short)
		}
		if f.Group != nil {
			o.Variable = config.Variable(f.Name)
		}
	}
	switch {
	case o.Bool:
		o.Value, o.Words = "", []string{"true", "false"}
	case strings.Contains(o.Value, "|"):
		o.Words = strings.Split(o.Value, "|")
	}
	return o
}

// Shard reports whether the value is the name of a shard.
func (o option) Shard() bool { return o.Value == "SHARD" }

// File reports whether the value is the name of a file. A command's first word is one too.
func (o option) File() bool { return o.Value == "FILE" || o.Value == "COMMAND" }

// Settings returns the settings of all groups.
func (s surface) Settings() (all []option) {
	for _, g := range s.Groups {
		all = append(all, g.Flags...)
	}
	return all
}

// Options returns the settings and the flags of all commands, each name once.
func (s surface) Options() []option {
	all := s.Settings()
	for _, c := range s.Commands {
		for _, o := range c.Flags {
			if !slices.ContainsFunc(all, func(known option) bool { return known.Name == o.Name }) {
				all = append(all, o)
			}
		}
	}
	return all
}

// Setting returns the setting with that name.
func (s surface) Setting(name string) option {
	all := s.Settings()
	return all[slices.IndexFunc(all, func(o option) bool { return o.Name == name })]
}
