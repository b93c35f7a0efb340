package recording

import (
	"encoding/json"
	"fmt"
	"io"
	"text/tabwriter"
	"time"

	"github.com/signal-sidecar/signal-sidecar/health"
)

// PrintJSON prints everything as one JSON object.
func PrintJSON(w io.Writer, runs []*Replayed, r *Recording) error {
	if runs == nil {
		runs = []*Replayed{}
	}
	e := json.NewEncoder(w)
	e.SetIndent("", "  ")
	e.SetEscapeHTML(false)
	return e.Encode(struct {
		Runs     []*Replayed `json:"runs"`
		Problems []Problem   `json:"problems,omitempty"`
		Unread   int         `json:"unread"`
	}{runs, r.Problems, r.Unread})
}

// Print prints a line for each verdict, and below each run what would have been different.
func Print(w io.Writer, runs []*Replayed) error {
	for i, run := range runs {
		if i > 0 {
			fmt.Fprintln(w)
		}
		length := time.Time(run.End).Sub(time.Time(run.Start)).Round(time.Second)
		fmt.Fprintf(w, "run of %s: %s, %d observations\n", stamp(run.Start), length, run.Observations)
		table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
		if run.Set == nil {
			for _, s := range run.Timeline {
				fmt.Fprintf(table, "%s\t%s\n", stamp(s.At), s)
			}
		} else {
			printBeside(table, run)
		}
		if err := table.Flush(); err != nil {
			return err
		}
		if run.Difference != "" {
			fmt.Fprintln(w, run.Difference)
		}
	}
	return nil
}

// printBeside prints two timelines side by side, one line for each time of either.
func printBeside(w io.Writer, run *Replayed) {
	fmt.Fprintf(w, "\tas recorded\twith %s\n", run.set())
	a, b := run.Timeline, run.Changed
	for len(a) > 0 || len(b) > 0 {
		var at health.Time
		var left, right string
		switch {
		case len(b) == 0 || len(a) > 0 && time.Time(a[0].At).Before(time.Time(b[0].At)):
			at, left, a = a[0].At, a[0].String(), a[1:]
		case len(a) == 0 || time.Time(b[0].At).Before(time.Time(a[0].At)):
			at, right, b = b[0].At, b[0].String(), b[1:]
		default:
			at, left, right, a, b = a[0].At, a[0].String(), b[0].String(), a[1:], b[1:]
		}
		fmt.Fprintf(w, "%s\t%s\t%s\n", stamp(at), left, right)
	}
}

// String returns the agent reply, the root reason, and the time until which the verdict is damped.
func (m moment) String() string {
	text := m.Agent
	if m.Reason != health.ReasonNone {
		text += "  " + string(m.Reason)
	}
	if m.Until != nil {
		text += "  damped until " + timeOfDay(time.Time(*m.Until))
	}
	return text
}

// stamp returns a time in the format of the report.
func stamp(at health.Time) string {
	text, _ := at.MarshalText() // it never fails
	return string(text)
}
