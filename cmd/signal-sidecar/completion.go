package main

import (
	_ "embed"
	"strings"
	"text/template"

	"github.com/alecthomas/kong"
)

// completionCommand prints a completion script, for the shell to load. The script knows the command line by itself: to
// complete a word runs nothing.
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

// printTemplate prints what one of our own templates makes of the data.
func printTemplate(std streams, text string, data any) error {
	words := template.FuncMap{"join": strings.Join, "quote": quote, "fish": quoteForFish, "zsh": quoteForZsh, "roff": roff}
	return template.Must(template.New("").Funcs(words).Parse(text)).Execute(std.stdout, data)
}

// quote makes one word of a text, for bash and zsh.
func quote(text string) string { return "'" + strings.ReplaceAll(text, "'", `'\''`) + "'" }

func quoteForFish(text string) string {
	return "'" + strings.NewReplacer(`\`, `\\`, "'", `\'`).Replace(text) + "'"
}

// quoteForZsh keeps what zsh's _arguments and _describe would take for the end of a text.
func quoteForZsh(text string) string {
	return strings.NewReplacer(`\`, `\\`, "'", `'\''`, ":", `\:`, "[", `\[`, "]", `\]`).Replace(text)
}
