package main

import (
	"fmt"
	"io"
	"os"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/signal-sidecar/signal-sidecar/fleet"
	"github.com/signal-sidecar/signal-sidecar/health"
)

// terminalOf returns the terminal that a stream writes to, nil if it is none.
func terminalOf(w io.Writer) *os.File {
	if e, ok := w.(*escapingWriter); ok {
		w = e.to
	}
	if f, ok := w.(*os.File); ok && terminalHeight(f) >= 0 {
		return f
	}
	return nil
}

// terminalHeight returns the number of lines, 0 if it is not known, and -1 if the file is not a terminal.
func terminalHeight(f *os.File) int {
	size, err := unix.IoctlGetWinsize(int(f.Fd()), unix.TIOCGWINSZ) //nolint:gosec // a descriptor is small
	if err != nil {
		return -1
	}
	return int(size.Row)
}

// palette adds colours to texts, or does not.
type palette bool

// colours returns a palette with colours if the environment and the terminal of the stream want them
// (https://no-color.org).
func colours(w io.Writer) palette {
	return palette(os.Getenv("NO_COLOR") == "" && os.Getenv("TERM") != "dumb" && terminalOf(w) != nil)
}

func (p palette) bold(text string) string { return p.with("1", text) }

// of returns the text in the colour of a severity.
func (p palette) of(s severity, text string) string {
	switch s {
	case severityTrouble:
		return p.with("31", text) // red
	case severityWarning:
		return p.with("33", text) // yellow
	default:
		return text
	}
}

func (p palette) with(code, text string) string {
	if !p {
		return text
	}
	return "\x1b[" + code + "m" + text + "\x1b[0m"
}

// screen draws tables over one another.
type screen struct {
	file   *os.File
	colour palette
}

// newScreen returns nil if the stream is not a terminal.
func newScreen(w io.Writer) *screen {
	f := terminalOf(w)
	if f == nil {
		return nil
	}
	return &screen{f, colours(w)}
}

// draw replaces what is on the screen. Of a table that is too long, the last rows are left out: the first have trouble.
func (s *screen) draw(t *fleetTable, v *fleet.View) {
	const home, toLineEnd, toScreenEnd = "\x1b[H", "\x1b[K", "\x1b[J"
	var foot []string
	for _, p := range v.Problems {
		foot = append(foot, wrap(health.EscapeLine(p), tableWidth, "")...)
	}
	foot = append(foot, t.summary, v.At.UTC().Format("2006-01-02 15:04:05Z")+", Ctrl-C ends")
	if height := terminalHeight(s.file); height > len(foot)+2 {
		t = t.within(height - len(foot) - 1)
	}
	t.summary = strings.Join(foot, "\n")
	lines := strings.ReplaceAll(strings.TrimSuffix(t.text(s.colour), "\n"), "\n", toLineEnd+"\n")
	_, _ = io.WriteString(s.file, home+lines+toLineEnd+toScreenEnd) // the terminal may have gone
}

// within returns the table with at most n lines, without its summary.
func (t *fleetTable) within(n int) *fleetTable {
	short, used := &fleetTable{header: t.header}, 1
	for i, l := range t.lines {
		if used+1+len(l.details) >= n && i < len(t.lines)-1 {
			short.lines = append(short.lines, fleetLine{text: fmt.Sprintf("… and %d more", len(t.lines)-i)})
			break
		}
		short.lines, used = append(short.lines, l), used+1+len(l.details)
	}
	return short
}
