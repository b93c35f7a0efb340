package rest

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/signal-sidecar/signal-sidecar/health"
	"github.com/signal-sidecar/signal-sidecar/history"
)

// All charts have the same time axis, so that simultaneous events are at the same place.
const (
	chartWidth  = 600.0
	chartHeight = 32.0
	column      = 3.0 // samples within this width are drawn as one
)

// chart is one row of the page: the present value, and an SVG of the past.
type chart struct {
	Name, Detail string
	Now          string // the present value as text
	State        string // ok, bad or none
	Peak         string // the largest value as text
	Alt          string // the chart as text, for screen readers
	Bands        []band
	Line, Area   string // SVG paths
	Limit        number // vertical position of the limit of the value, 0 for none
	Failures     []band
}

// band is a period of time in a chart.
type band struct {
	X, Width number
	Kind     string
	Title    string
}

// A band's height and pattern show its kind to those who cannot distinguish the colours: the worse, the higher.
var (
	bandHeights = map[string]number{
		kindUp: 6, kindMaint: 12, kindDrain: 18, kindDamped: 25, kindDown: chartHeight, kindUnknown: 25, kindNone: 25,
	}
	bandPatterns = map[string]string{
		kindMaint: "hatched", kindDamped: "hatched", kindUnknown: "striped", kindNone: "striped",
	}
)

// Y is the position of its upper edge.
func (b band) Y() number { return chartHeight - b.Height() }

// Height is its height.
func (b band) Height() number { return bandHeights[b.Kind] }

// Pattern is the id of the pattern over it, "" for none.
func (b band) Pattern() string { return bandPatterns[b.Kind] }

// number is a coordinate; it is written with at most one decimal.
type number float64

func (n number) String() string {
	return strconv.FormatFloat(math.Round(float64(n)*10)/10, 'f', -1, 64)
}

// axis is the period of time that the charts show.
type axis struct {
	From, To time.Time
}

// spans are the periods that the charts can show: the shortest that holds all samples, or else the longest.
var spans = []time.Duration{4 * time.Minute, 20 * time.Minute, time.Hour}

func newAxis(began, now time.Time) axis {
	for _, span := range spans {
		if now.Sub(began) <= span || span == spans[len(spans)-1] {
			return axis{now.Add(-span), now}
		}
	}
	panic("unreachable")
}

func (a axis) span() time.Duration { return a.To.Sub(a.From) }

// x returns the horizontal position of a moment, limited to the chart.
func (a axis) x(t time.Time) float64 {
	return min(max(t.Sub(a.From).Seconds()/a.span().Seconds(), 0), 1) * chartWidth
}

// Name is the heading of the charts.
func (a axis) Name() string {
	if a.span() == time.Hour {
		return "Last hour"
	}
	return fmt.Sprintf("Last %.0f minutes", a.span().Minutes())
}

// Ticks are the labels of the four quarters of the axis.
func (a axis) Ticks() []string {
	ticks := make([]string, 4)
	for i := range ticks {
		ticks[i] = fmt.Sprintf("−%.0f min", a.span().Minutes()*float64(4-i)/4)
	}
	return ticks
}

// point is a value at a position: the largest of its column.
type point struct{ x, y float64 }

// bandTo returns the band between two moments.
func (a axis) band(from, to time.Time, kind string) band {
	x := a.x(from)
	title := fmt.Sprintf("%s %s – %s", kindNames[kind], clockTime(from), clockTime(to))
	return band{number(x), number(a.x(to) - x), kind, title}
}

// timeline returns the bands of the verdict from its changes, newest first.
func (a axis) timeline(changes []history.Change) []band {
	var bands []band
	end := a.To
	for _, c := range changes { // newest first
		at := time.Time(c.At)
		bands = append(bands, a.band(later(at, a.From), end, kindOf(c.State, c.Damped)))
		if end = at; !end.After(a.From) {
			break
		}
	}
	return bands
}

func later(t, u time.Time) time.Time {
	if t.After(u) {
		return t
	}
	return u
}

// latency draws the durations of a probe, and marks its failures.
func (c *chart) latency(a axis, samples []history.Sample, probe health.Probe) {
	var points []point
	var peak float64
	var failures, runs int
	for i := len(samples) - 1; i >= 0; i-- { // oldest first
		p, began := samples[i].Probe(probe), samples[i].Began
		if !p.Ran || began.Before(a.From) {
			continue
		}
		runs++
		if p.Failed {
			failures++
		}
		x, took := a.x(began), float64(p.Took)
		peak = max(peak, took)
		if last := len(points) - 1; last >= 0 && x-points[last].x < column {
			points[last].y = max(points[last].y, took)
		} else {
			points = append(points, point{x, took})
		}
	}
	if len(points) == 0 {
		return
	}
	points = append(points, point{chartWidth, points[len(points)-1].y})
	c.markFailures(a, samples, probe)
	c.draw(points, niceCeiling(max(peak, 0.002))) // below 2 ms the line stays flat
	c.Peak = "max " + seconds(peak)
	c.Alt = fmt.Sprintf("%s: at most %s, failed in %d of %d samples.", c.Name, seconds(peak), failures, runs)
}

// markFailures marks the periods in which a probe failed: each from its first failed run to the end of the sample of
// its last. Without a run in between that did not fail, a failure has no gaps.
func (c *chart) markFailures(a axis, samples []history.Sample, probe health.Probe) {
	failing := false                         // the latest run failed
	for i := len(samples) - 1; i >= 0; i-- { // oldest first
		p, from := samples[i].Probe(probe), samples[i].Began
		goesOn := failing && (!p.Ran || p.FailedFirst)
		if !goesOn {
			from = from.Add(time.Duration(float64(p.FailedAfter) * float64(time.Second)))
		}
		if (p.Failed || goesOn) && !from.Before(a.From) {
			c.fail(a, from, endOf(samples, i, a.To))
		}
		failing = p.FailedLast || failing && !p.Ran
	}
}

// endOf returns the beginning of the next sample, or now for the last one.
func endOf(samples []history.Sample, i int, now time.Time) time.Time {
	if i > 0 {
		return samples[i-1].Began
	}
	return now
}

// fail marks a period as failed. It extends the previous mark if that is less than a column away.
func (c *chart) fail(a axis, from, to time.Time) {
	x, end := number(a.x(from)), number(a.x(to))
	if last := len(c.Failures) - 1; last >= 0 && x-(c.Failures[last].X+c.Failures[last].Width) < column {
		c.Failures[last].Width = end - c.Failures[last].X
		return
	}
	x = min(x, chartWidth-column)
	c.Failures = append(c.Failures, band{X: x, Width: max(end-x, column), Title: "failed from " + clockTime(from)})
}

// draw sets the line through the points, and the area below it.
func (c *chart) draw(points []point, top float64) {
	var line strings.Builder
	for i, p := range points {
		command := "L"
		if i == 0 {
			command = "M"
		}
		fmt.Fprintf(&line, "%s%s %s", command, number(p.x), number(height(p.y, top)))
	}
	c.Line = line.String()
	first, last := number(points[0].x), number(points[len(points)-1].x)
	c.Area = fmt.Sprintf("%sL%s %sL%s %sZ", c.Line, last, number(chartHeight), first, number(chartHeight))
}

// height returns the vertical position of a value, from the top, with room for the width of the line.
func height(value, top float64) float64 { return 1 + (chartHeight-2)*(1-value/top) }

// steps draws a value that holds until the next sample. The line is interrupted where the value is not known.
func (c *chart) steps(a axis, samples []history.Sample, top float64, value func(history.Sample) (float64, bool)) {
	var line, area strings.Builder
	var before number
	var began float64
	known := false
	end := func(x float64) {
		if known {
			fmt.Fprintf(&line, "H%s", number(x))
			fmt.Fprintf(&area, "H%sV%sH%sZ", number(x), number(chartHeight), number(began))
		}
		known = false
	}
	for i := len(samples) - 1; i >= 0; i-- { // oldest first
		v, ok := value(samples[i])
		x := a.x(samples[i].Began)
		y := number(math.Round(2*height(v, top)) / 2) // rounded to half a pixel
		switch {
		case !ok:
			end(x)
		case !known:
			fmt.Fprintf(&line, "M%s %s", number(x), y)
			fmt.Fprintf(&area, "M%s %s", number(x), y)
			began, known = x, true
		case y != before:
			fmt.Fprintf(&line, "H%sV%s", number(x), y)
			fmt.Fprintf(&area, "H%sV%s", number(x), y)
		}
		before = y
	}
	end(chartWidth)
	c.Line, c.Area = line.String(), area.String()
}

// words draws the word in the status file.
func (c *chart) words(a axis, samples []history.Sample) {
	end := a.To
	for i, s := range samples { // newest first
		older := i+1 < len(samples) && samples[i+1].Word == s.Word && end.After(a.From)
		if s.Word == "" || older {
			continue
		}
		b := a.band(later(s.Began, a.From), end, wordKinds[s.Word])
		b.Title = fmt.Sprintf("%s %s – %s", s.Word, clockTime(later(s.Began, a.From)), clockTime(end))
		if b.Width > 0 {
			c.Bands = append(c.Bands, b)
		}
		end = s.Began
	}
}

// niceCeiling returns the smallest of 1, 2, 5, 10, 20, 50 … that is not below a value.
func niceCeiling(value float64) float64 {
	if value <= 0 {
		return 1
	}
	power := math.Pow(10, math.Floor(math.Log10(value)))
	for _, step := range []float64{1, 2, 5} {
		if value <= step*power*(1+1e-9) {
			return step * power
		}
	}
	return 10 * power
}

// seconds formats a duration in seconds, with its unit.
func seconds(s float64) string {
	switch {
	case s >= 9.95:
		return fmt.Sprintf("%.0f s", s)
	case s >= 0.9995:
		return strconv.FormatFloat(math.Round(s*10)/10, 'f', -1, 64) + " s"
	case s >= 0.00995:
		return fmt.Sprintf("%.0f ms", s*1000)
	default:
		return strconv.FormatFloat(math.Round(s*10000)/10, 'f', -1, 64) + " ms"
	}
}

func clockTime(t time.Time) string { return t.UTC().Format("15:04:05") }
