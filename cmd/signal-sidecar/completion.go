package main

import (
	_ "embed"
	"strings"
	"text/template"

	"github.com/alecthomas/kong"
)

// completionCommand prints a completion script for a shell. The script contains the whole command line. Only the
// completion of a shard's name runs the program, which asks Consul.
type completionCommand struct {
	Shell string `arg:"" enum:"bash,zsh,fish" help:"The shell: bash, zsh or fish."`
}

var (
	//go:embed texts/completion.bash.tmpl
	bashCompletion string
	//go:embed texts/completion.zsh.tmpl
	zshCompletion string
	//go:embed texts/completion.fish.tmpl
	fishCompletion string
)

var completions = map[string]string{"bash": bashCompletion, "zsh": zshCompletion, "fish": fishCompletion}

func (c completionCommand) Run(line *kong.Context, std streams) error {
	return printTemplate(std, completions[c.Shell], newSurface(line.Model))
}

// printTemplate executes one of the program's templates with the data.
func printTemplate(std streams, text string, data any) error {
	words := template.FuncMap{"join": strings.Join, "quote": quote, "fish": quoteForFish, "zsh": quoteForZsh, "roff": roff}
	return template.Must(template.New("").Funcs(words).Parse(text)).Execute(std.stdout, data)
}

// quote quotes a text as one word, for bash and zsh.
func quote(text string) string { return "'" + strings.ReplaceAll(text, "'", `'\''`) + "'" }

func quoteForFish(text string) string {
	return "'" + strings.NewReplacer(`\`, `\\`, "'", `\'`).Replace(text) + "'"
}

// quoteForZsh quotes a text and escapes the characters that end it in zsh's _arguments and _describe.
func quoteForZsh(text string) string {
	return strings.NewReplacer(`\`, `\\`, "'", `'\''`, ":", `\:`, "[", `\[`, "]", `\]`).Replace(text)
}
