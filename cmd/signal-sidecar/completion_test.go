package main_test

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/signal-sidecar/signal-sidecar/testbed"
)

// commands are subcommands that --help lists.
var commands = []string{
	"serve", "demo", "simulate", "status", "replay", "fleet", "drain", "ready", "maint", "check-config", "version",
	"completion", "man", "help",
}

// completion is a line up to the cursor, words that the shell must offer there, and words that it must not offer.
type completion struct {
	line           string // after signal-sidecar; words are separated by spaces
	offered, wrong []string
}

var completionCases = []completion{
	{"", commands, []string{"--help", "recording.jsonl"}},
	{"rep", []string{"replay"}, commands[:3]},
	{"--log-f", []string{"--log-format"}, []string{"--log-level"}},
	{"--log-level d", []string{"debug"}, []string{"demo", "info"}},
	{"--log-level=w", []string{"warn"}, []string{"demo", "info"}},
	{"--drain-grace-scope=", []string{"jicofo", "soft"}, []string{"serve"}},
	{"--metrics=", []string{"true", "false"}, []string{"serve"}},
	{"--metrics ch", []string{"check-config"}, nil},
	{"--http-port ", nil, commands},
	{"--http-port 0 de", []string{"demo"}, nil},
	{"--log-level debug sta", []string{"status"}, nil},
	{"--env-file rec", []string{"recording.jsonl"}, nil},
	{"--env-file=rec", []string{"recording.jsonl"}, nil},
	{"--record-path folder/", []string{"folder/inner"}, nil},
	{"status --", []string{"--url", "--watch", "--json", "--http-port", "--help"}, []string{"--set", "--partipant-max"}},
	{"replay rec", []string{"recording.jsonl"}, commands},
	{"replay ", []string{"recording.jsonl", "folder"}, commands},
	{"replay recording.jsonl --s", []string{"--set"}, []string{"--url", "--status-path"}},
	{"help re", []string{"replay", "ready"}, []string{"recording.jsonl"}},
	{"completion ", []string{"bash", "zsh", "fish"}, []string{"recording.jsonl"}},
	{"man --", []string{"--help", "--version"}, []string{"--http-port"}},
}

// completionScript writes the script for a shell to a file in a new folder. It prints the script while the settings are
// bad.
func completionScript(t *testing.T, shell, name string) (path string) {
	t.Helper()
	folder, v := brokenSettings(t)
	r := runIn(t, folder, v, "completion", shell)
	if r.code != 0 || r.stderr != "" {
		t.Fatalf("exit %d, %s", r.code, r.stderr)
	}
	return write(t, folder, name, r.stdout)
}

// completionFolder makes the folder in which the shells complete.
func completionFolder(t *testing.T) string {
	t.Helper()
	folder := t.TempDir()
	write(t, folder, "recording.jsonl", "")
	testbed.Must(t, os.Mkdir(filepath.Join(folder, "folder"), 0o755))
	write(t, folder, "folder/inner", "")
	return folder
}

// check compares what a shell offers. An offered word may begin with --name=, and a folder may end in /.
func (c completion) check(t *testing.T, offered []string) {
	t.Helper()
	for i, word := range offered {
		if _, value, found := strings.Cut(word, "="); found && value != "" {
			offered[i] = value
		}
		offered[i] = strings.TrimSuffix(offered[i], "/")
	}
	for _, word := range c.offered {
		if !slices.Contains(offered, word) {
			t.Errorf("%q: %q is not offered, but %q", c.line, word, offered)
		}
	}
	for _, word := range c.wrong {
		if slices.Contains(offered, word) {
			t.Errorf("%q: %q is offered", c.line, word)
		}
	}
	if len(c.offered) == 0 && len(offered) > 0 {
		t.Errorf("%q: %q is offered", c.line, offered)
	}
}

// TestBashCompletion calls the function as bash does, which also splits words at =.
func TestBashCompletion(t *testing.T) {
	t.Parallel()
	bash, script, folder := testbed.Component(t, "bash"),
		completionScript(t, "bash", "signal-sidecar"), completionFolder(t)
	const driver = `source "$1" || exit; shift
		COMP_WORDS=("$@") COMP_CWORD=$(($# - 1))
		f=$(complete -p signal-sidecar | sed 's/.*-F \([^ ]*\) .*/\1/')
		"$f" && printf '%s\n' "${COMPREPLY[@]}"`
	for _, c := range completionCases {
		words := strings.Split(strings.ReplaceAll(c.line, "=", " = "), " ")
		if len(words) > 2 && words[len(words)-2] == "=" && words[len(words)-1] == "" {
			words = words[:len(words)-1] // the word at the cursor is = itself
		}
		r := runCommand(t, folder, nil, bash, append([]string{"-c", driver, "bash", script, "signal-sidecar"}, words...)...)
		if r.code != 0 || r.stderr != "" {
			t.Fatalf("%q: exit %d, %s", c.line, r.code, r.stderr)
		}
		c.check(t, strings.Fields(r.stdout))
	}
}

// TestFishCompletion uses complete -C, with which fish prints what it would offer.
func TestFishCompletion(t *testing.T) {
	t.Parallel()
	fish, script, folder := testbed.Component(t, "fish"),
		completionScript(t, "fish", "signal-sidecar.fish"), completionFolder(t)
	v := vars{"HOME": folder, "XDG_CONFIG_HOME": t.TempDir(), "XDG_DATA_HOME": t.TempDir(), "LC_ALL": "C.UTF-8"}
	for _, c := range completionCases {
		r := runCommand(t, folder, v, fish, "--no-config", "-c", "source $argv[1]; complete -C $argv[2]",
			script, "signal-sidecar "+c.line)
		if r.code != 0 || r.stderr != "" {
			t.Fatalf("%q: exit %d, %s", c.line, r.code, r.stderr)
		}
		var offered []string
		for line := range strings.Lines(r.stdout) {
			word, _, _ := strings.Cut(strings.TrimSpace(line), "\t")
			offered = append(offered, word)
		}
		c.check(t, offered)
	}
}

// zshDriver types lines into an interactive zsh, each with a tab that lists the candidates, or completes the only one.
const zshDriver = `
zmodload zsh/zpty
zpty shell zsh -f -i
zpty -w shell "PS1= PS2= RPS1=; stty -echo; autoload -U compinit; $1; LISTMAX=1000; setopt no_auto_list; bindkey '^I' complete-word"
zpty -w shell "show() { print -r -- \"<\$BUFFER>\"; BUFFER=; zle accept-line; }; zle -N show; bindkey '^X' show; print read''y"
zpty -r shell out '*ready*'
for line in "${@:2}"; do
	zpty -n -w shell "signal-sidecar $line"$'\t\x18'
	zpty -r shell out '*<*>*'
	print -r -- "${${out##*<}%%>*}"
done
zpty -d shell
`

// TestZshCompletion completes the cases with only one candidate in an interactive zsh. zsh loads the script from its
// function path in one run, and sources it in the other.
func TestZshCompletion(t *testing.T) {
	t.Parallel()
	zsh, script := testbed.Component(t, "zsh"), completionScript(t, "zsh", "_signal-sidecar")
	for name, load := range map[string]string{
		"found":   "fpath=(" + filepath.Dir(script) + " $fpath); compinit -D -u",
		"sourced": "compinit -D -u; source " + script,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			args, want := []string{"-f", "-c", zshDriver, "zsh", load}, []string{}
			for _, c := range completionCases {
				if len(c.offered) != 1 {
					continue
				}
				args = append(args, c.line)
				// The line up to the last space or =, then the offered word.
				typed := regexp.MustCompile(`[^ =]*$`).ReplaceAllLiteralString(c.line, "")
				want = append(want, "signal-sidecar "+typed+c.offered[0])
			}
			r := runWithin(t, 3*bound, completionFolder(t), vars{"TERM": "dumb"}, zsh, args...)
			lines := strings.Split(strings.TrimSpace(r.stdout), "\n")
			for i, w := range want {
				if i >= len(lines) || strings.TrimRight(lines[i], " =") != w {
					t.Errorf("%q became %q", w, lines[min(i, len(lines)-1)])
				}
			}
		})
	}
}
