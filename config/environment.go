package config

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"
	"sync"

	"github.com/alecthomas/kong"

	"github.com/signal-sidecar/signal-sidecar/errtext"
)

// NoSettings is the tag of the commands that read no settings. A bad setting or a bad file does not affect them.
const NoSettings = "nosettings"

// Packaged is the tag of the commands that are about the service of this machine. Without a named file and without .env
// they use the settings file of the package, which systemd passes to the service.
const Packaged = "packaged"

// packagedFile is the settings file of the packages. The tests are linked with another path.
var packagedFile = "/etc/jitsi/signal-sidecar/config"

// Environment provides the values of settings from the environment of the process and, for variables that are not set
// there, from a file. An empty variable counts as not set, as in OpenTelemetry. It implements kong.Resolver, which kong
// uses for the flags that are not on the command line.
type Environment struct {
	once     sync.Once
	announce func(string)    // prints a note
	note     string          // which file is used although none was named, or why it is not; "" for none
	ignored  error           // why systemd ignores the file of the package; nil if it does not
	problem  error           // of reading the file
	file     string          // the file that was read, "" for none
	fromFile map[string]bool // the variables that came from it
	notices  []string        // one sentence for each line of the file that needs one
	defaults map[string]bool // the variables that were set to their defaults here
}

// NewEnvironment returns an environment whose file has not been read yet. When settings are loaded it calls announce
// with a note about a file that is used, or cannot be used, although none was named.
func NewEnvironment(announce func(note string)) *Environment {
	return &Environment{announce: announce, fromFile: map[string]bool{}, defaults: map[string]bool{}}
}

// readFile reads the file that is named, or else .env, or else for some commands the file of the package. The last two
// need not exist.
func (e *Environment) readFile(ctx *kong.Context) error {
	if path := namedEnvFile(ctx); path != "" {
		return e.read(path, true)
	}
	command := ctx.Selected()
	packaged := command != nil && command.Tag.Has(Packaged)
	if err := e.read(defaultEnvFile, false); err != nil || !packaged {
		return err
	}
	if e.file == "" {
		switch err := e.read(packagedFile, true); {
		case err == nil || errors.Is(err, fs.ErrNotExist):
		case errors.Is(err, fs.ErrPermission):
			e.note = packagedFile + " cannot be read (permission denied), so its settings are not used: run this as root"
		case errors.Is(err, errLargeEnvFile):
			return err
		default: // the unit has EnvironmentFile=-, so the service starts
			e.ignored = fmt.Errorf("%w; systemd ignores the whole file, so the service starts with the defaults", err)
			e.note = e.ignored.Error() + ", and this command uses them too"
		}
	}
	if e.file != "" {
		e.note = "settings of " + e.file
	}
	return nil
}

// Ignored returns why systemd ignores the whole settings file of the package, which this command would use. It returns
// nil if systemd uses the file.
func (e *Environment) Ignored() error { return e.ignored }

// printNote prints the note once.
func (e *Environment) printNote() {
	if e.note != "" {
		e.announce(e.note)
		e.note = ""
	}
}

// read sets the variables of the file that are not set in the environment of the process. The file may therefore also
// contain OTEL_* and CONSUL_HTTP_*.
func (e *Environment) read(path string, named bool) error {
	file, err := readEnvFile(path)
	switch {
	case !named && (errors.Is(err, fs.ErrNotExist) || !mayEnter(path)):
		return nil
	case err != nil:
		return &EnvFileError{path, err}
	}
	e.file = path
	for _, notice := range file.notices {
		e.notices = append(e.notices, path+": "+notice)
	}
	for name, value := range file.values {
		if os.Getenv(name) != "" || value == "" {
			continue
		}
		if err := os.Setenv(name, value); err != nil {
			return &EnvFileError{path, fmt.Errorf("variable %q: %w", name, err)}
		}
		e.fromFile[name] = true
	}
	return nil
}

// mayEnter reports whether this user may look into the folder of a file.
func mayEnter(path string) bool {
	_, err := os.Stat(path)
	return !errors.Is(err, fs.ErrPermission)
}

// setDefault sets a variable that is not set, for the libraries that read it.
func (e *Environment) setDefault(name, value string) {
	if err := os.Setenv(name, value); err == nil { // no name or value used here can fail
		e.defaults[name] = true
	}
}

// EnvFileError is the reason why a file of variables cannot be used.
type EnvFileError struct {
	path string
	err  error
}

func (e *EnvFileError) Error() string {
	return fmt.Sprintf("ENV_FILE=%q: cannot be read: %s", e.path, strings.ReplaceAll(errtext.File(e.err), "\n", "; "))
}

func (e *EnvFileError) Unwrap() error { return e.err }

// Validate implements kong.Resolver.
func (e *Environment) Validate(*kong.Application) error { return nil }

// Resolve implements kong.Resolver.
func (e *Environment) Resolve(ctx *kong.Context, _ *kong.Path, flag *kong.Flag) (any, error) {
	if command := ctx.Selected(); command != nil && command.Tag.Has(NoSettings) {
		return nil, nil
	}
	e.once.Do(func() { e.problem = e.readFile(ctx) })
	if e.problem != nil {
		return nil, e.problem
	}
	// Every setting has a group. The flags of a command have none and no variable: JSON or SET may have other uses.
	if value := os.Getenv(Variable(flag.Name)); value != "" && flag.Group != nil {
		return value, nil
	}
	return nil, nil
}

// namedEnvFile returns the path from the flag or the variable, "" if there is none.
func namedEnvFile(ctx *kong.Context) string {
	for _, p := range ctx.Path {
		if p.Flag != nil && p.Flag.Name == "env-file" && ctx.FlagValue(p.Flag) != text("") {
			return fmt.Sprint(ctx.FlagValue(p.Flag))
		}
	}
	return os.Getenv(Variable("env-file"))
}

// origin returns the origin of a setting.
func (e *Environment) origin(ctx *kong.Context, flag *kong.Flag) string {
	for _, path := range ctx.Path {
		if path.Flag == flag && !path.Resolved {
			return "flag"
		}
	}
	return e.originOf(Variable(flag.Name))
}

// originOf returns the origin of a variable.
func (e *Environment) originOf(name string) string {
	switch {
	case e.fromFile[name]:
		return e.file
	case os.Getenv(name) != "" && !e.defaults[name]:
		return "environment"
	default:
		return originDefault
	}
}
