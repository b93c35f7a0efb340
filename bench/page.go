package main

import (
	"fmt"
	"io"
	"strings"
)

// outcome states whether a figure meets its goal.
type outcome string

const (
	met    outcome = "yes"
	missed outcome = "**no**"
	noGoal outcome = "–"
)

// row is one figure.
type row struct {
	figure, goal, measured string
	ok                     outcome
}

// atMost returns a row whose goal is an upper bound. Both values have the unit and this number of digits.
func atMost(figure string, goal, measured float64, digits int, unit string) row {
	ok := met
	if measured > goal {
		ok = missed
	}
	return row{figure, strings.TrimSpace(fmt.Sprintf("≤ %v %s", goal, unit)), amount(measured, digits, unit), ok}
}

// unchecked returns a row without a goal that this program can check.
func unchecked(figure, measured string) row { return row{figure, "–", measured, noGoal} }

func amount(value float64, digits int, unit string) string {
	return strings.TrimSpace(fmt.Sprintf("%.*f %s", digits, value, unit))
}

// section is one part of the page.
type section struct {
	title string
	how   string // how it was measured
	rows  []row
	// growth is a table of its own, with the head first. It shows how a cost grows.
	growth [][]string
	notes  []string
}

func (s section) write(w io.Writer) {
	fmt.Fprintf(w, "\n## %s\n\n%s\n", s.title, s.how)
	if len(s.rows) > 0 {
		table := [][]string{{"figure", "goal", "measured", "ok?"}}
		for _, r := range s.rows {
			table = append(table, []string{r.figure, r.goal, r.measured, string(r.ok)})
		}
		writeTable(w, table)
	}
	if len(s.growth) > 0 {
		writeTable(w, s.growth)
	}
	for _, note := range s.notes {
		fmt.Fprintf(w, "\n%s\n", note)
	}
}

func writeTable(w io.Writer, rows [][]string) {
	fmt.Fprintln(w)
	for i, cells := range rows {
		fmt.Fprintf(w, "| %s |\n", strings.Join(cells, " | "))
		if i == 0 {
			fmt.Fprintf(w, "|%s\n", strings.Repeat(" --- |", len(cells)))
		}
	}
}

// writePage writes the whole page.
func writePage(w io.Writer, m machine, sections []section) {
	fmt.Fprintf(w, "# Performance\n\nThe resources that the program uses and how fast it reacts, measured from outside by `bench/` on the stripped binary.\n")
	fmt.Fprintf(w, "The figures are from a shared machine with other load, and the clients used the same cores. Compare ratios and medians, not maxima.\n")
	fmt.Fprintf(w, "Times are p50 and p99 of all events. Other figures are medians of the rounds.\nNo test depends on these figures.\n\n")
	for _, fact := range m.facts() {
		fmt.Fprintf(w, "- %s\n", fact)
	}
	writeMissed(w, sections)
	for _, s := range sections {
		s.write(w)
	}
}

// writeMissed lists the missed goals, with the known reasons.
func writeMissed(w io.Writer, sections []section) {
	fmt.Fprintf(w, "\n## Goals missed\n\n")
	none := true
	for _, s := range sections {
		for _, r := range s.rows {
			if r.ok == missed {
				none = false
				fmt.Fprintf(w, "- %s: %s (goal %s). %s\n", r.figure, r.measured, r.goal, reason(r.figure))
			}
		}
	}
	if none {
		fmt.Fprintln(w, "None.")
	}
}
