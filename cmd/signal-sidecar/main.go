// Command signal-sidecar reports whether users may be sent to a Jitsi signal node. It probes jicofo and prosody,
// watches the drain status file, and reports the result to HAProxy, Prometheus and people.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"slices"
	"strings"
	"syscall"

	"github.com/alecthomas/kong"

	"github.com/signal-sidecar/signal-sidecar/config"
)

// Exit codes.
const (
	exitOK      = 0
	exitFailure = 1 // something failed while running, such as a port in use
	exitUsage   = 2 // a bad command line or setting
)

const description = "Reports to HAProxy, Prometheus and people whether users may be sent to this Jitsi signal node."

// commandLine is the grammar of the command line. The settings are flags of every command.
type commandLine struct {
	Serve       serveCommand       `cmd:"" default:"1" help:"Run the sidecar. This is the default command."`
	Demo        demoCommand        `cmd:"" help:"Run the sidecar beside a simulated signal node, and print what to try."`
	Simulate    simulateCommand    `cmd:"" nosettings:"" help:"Run a simulated signal node, without a sidecar, on fixed addresses."`
	Status      statusCommand      `cmd:"" packaged:"" help:"Print the verdict of a running sidecar. Exit code 0: the node is up, 1: it is down, 2: unknown."`
	Replay      replayCommand      `cmd:"" nosettings:"" help:"Derive the verdicts of a recording again, also with other settings, and print them."`
	Fleet       fleetCommand       `cmd:"" packaged:"" help:"Show all shards of a fleet: their reports in Consul, and their states in HAProxy."`
	Drain       drainCommand       `cmd:"" packaged:"" help:"Take shards, or this node, out of service for new users."`
	Ready       readyCommand       `cmd:"" packaged:"" help:"Put shards, or this node, into service."`
	Maint       maintCommand       `cmd:"" packaged:"" help:"Take shards, or this node, out of service for all users."`
	Shards      shardsCommand      `cmd:"" hidden:"" packaged:"" help:"Print the names of the shards in Consul, for the completions."`
	CheckConfig checkConfigCommand `cmd:"" packaged:"" help:"Print each setting and its source, or all problems (exit code 2)."`
	Version     versionCommand     `cmd:"" nosettings:"" help:"Print the version."`
	Completion  completionCommand  `cmd:"" nosettings:"" help:"Print a completion script for a shell."`
	Man         manCommand         `cmd:"" nosettings:"" help:"Print the manual page, signal-sidecar(8)."`
	Help        helpCommand        `cmd:"" nosettings:"" help:"Print this text, or the help of a command."`

	ShowVersion versionFlag `name:"version" help:"Print the version, whatever else is on the command line."`

	kong.Plugins // the settings
}

// streams are the outputs of a command.
type streams struct{ stdout, stderr io.Writer }

func main() { os.Exit(run(os.Args[1:], streams{os.Stdout, os.Stderr})) }

// run executes one command line and returns the exit code.
func run(args []string, std streams) int {
	stdout := escaping(std.stdout)
	std = streams{stdout, escaping(std.stderr)}
	code := execute(args, std)
	if code != exitOK && healthCheck(args) {
		code = exitFailure
	}
	if err := stdout.failed(); err != nil && code == exitOK {
		return fail(std, exitFailure, fmt.Errorf("write the output: %w", err))
	}
	return code
}

// healthCheck reports whether a command line is a health check of a container, status --self. It has no exit codes but
// 0 and 1, even if it finds bad settings before it begins: docker reserves 2.
func healthCheck(args []string) bool {
	return slices.Contains(args, "status") && slices.Contains(args, "--self")
}

// execute executes one command line with the streams of run.
func execute(args []string, std streams) int {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	context.AfterFunc(ctx, stop) // a second signal ends the process at once

	line := commandLine{Plugins: config.Flags()}
	env := config.NewEnvironment(func(note string) { fmt.Fprintln(std.stderr, "signal-sidecar:", note) })
	exited, code := false, exitOK
	parser, err := kong.New(&line,
		kong.Name("signal-sidecar"),
		kong.Description(description),
		kong.Writers(std.stdout, std.stderr),
		kong.Exit(func(c int) { exited, code = true, c }),
		kong.Help(printHelp),
		kong.ValueFormatter(config.HelpWithVariable),
		kong.ExplicitGroups(config.Groups()),
		kong.ConfigureHelp(kong.HelpOptions{Compact: true, FlagsLast: true}),
		kong.Resolvers(env),
		kong.BindTo(ctx, (*context.Context)(nil)),
		kong.Bind(std, env))
	if err != nil {
		return fail(std, exitFailure, err)
	}
	command, err := parser.Parse(args)
	if exited { // --help or --version printed its text
		return code
	}
	if file := (*config.EnvFileError)(nil); errors.As(err, &file) {
		return fail(std, exitUsage, file) // without the name of the flag that kong was parsing
	}
	if unwritten, ok := std.stdout.(*escapingWriter); ok && unwritten.failed() != nil { // the text of --help
		return exitOK // run reports it
	}
	if err != nil {
		return fail(std, exitUsage, fmt.Errorf("%w (see --help)", err))
	}
	return reportError(std, command.Run(command))
}

// exitError is an error that sets the exit code. It is not printed, because the command has already printed the cause.
type exitError int

func (e exitError) Error() string { return fmt.Sprintf("exit code %d", int(e)) }

// reportError prints the error of a command, if there is one, and returns the exit code.
func reportError(std streams, err error) int {
	var chosen exitError
	var setting *config.Error
	var file *config.EnvFileError
	switch {
	case err == nil:
		return exitOK
	case errors.As(err, &chosen):
		return int(chosen)
	case errors.As(err, &setting), errors.As(err, &file):
		return fail(std, exitUsage, err)
	default:
		return fail(std, exitFailure, err)
	}
}

// fail prints an error, one line for each problem.
func fail(std streams, code int, err error) int {
	for line := range strings.Lines(err.Error()) {
		fmt.Fprintln(std.stderr, "signal-sidecar:", strings.TrimSpace(line))
	}
	return code
}
