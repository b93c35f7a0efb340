package rest

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/signal-sidecar/signal-sidecar/health"
	"github.com/signal-sidecar/signal-sidecar/history"
)

var noon = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

func ago(minutes float64) time.Time { return noon.Add(-time.Duration(minutes * float64(time.Minute))) }

// TestAxis checks that the charts show the shortest span that holds all samples, an hour at most.
func TestAxis(t *testing.T) {
	for _, c := range []struct {
		known float64 // minutes
		name  string
		first string
	}{
		{0, "Last 4 minutes", "−4 min"}, {4, "Last 4 minutes", "−4 min"}, {4.1, "Last 20 minutes", "−20 min"},
		{20.1, "Last hour", "−60 min"}, {60, "Last hour", "−60 min"}, {6000, "Last hour", "−60 min"},
	} {
		a := newAxis(ago(c.known), noon)
		if a.Name() != c.name || a.Ticks()[0] != c.first || !a.To.Equal(noon) {
			t.Errorf("%v minutes: %s from %s", c.known, a.Name(), a.Ticks()[0])
		}
	}
}

// bands formats bands as "kind x+width".
func bands(all []band) string {
	texts := make([]string, len(all))
	for i, b := range all {
		texts[i] = fmt.Sprintf("%s %s+%s", b.Kind, b.X, b.Width)
	}
	return strings.Join(texts, ", ")
}

func TestTimeline(t *testing.T) {
	a := newAxis(ago(60), noon) // 10 units per minute
	change := func(minutes float64, state string, damped bool) history.Change {
		return history.Change{At: health.Time(ago(minutes)), State: state, Damped: damped}
	}
	for want, changes := range map[string][]history.Change{
		"":          nil,
		"up 590+10": {change(1, "ready", false)},
		"up 0+600":  {change(90, "ready", false)},
		"damped 500+100, down 400+100, drain 300+100, up 0+300": {
			change(10, "down", true), change(20, "down", false), change(30, "drain", true), change(600, "ready",
				false), change(900, "down", false),
		},
		"unknown 300+300, maint 200+100": {change(30, "unknown", false), change(40, "maint", false)},
	} {
		if got := bands(a.timeline(changes)); got != want {
			t.Errorf("the timeline is %s, want %s", got, want)
		}
	}
	if title := a.timeline([]history.Change{change(1, "down", true)})[0].Title; title != "damped 11:59:00 – 12:00:00" {
		t.Errorf("the title is %q", title)
	}
}

// probed returns samples of prosody, newest first, one minute apart. A number is the duration in seconds; a negative
// one is that of a failed probe, and 0 means that the probe did not run.
func probed(took ...float32) []history.Sample {
	samples := make([]history.Sample, len(took))
	for i, seconds := range took {
		samples[i] = prosodySample(ago(float64(i+1)), history.ProbeSample{Took: max(seconds, -seconds), Failed: seconds < 0,
			Ran: seconds != 0})
	}
	return samples
}

func prosodySample(began time.Time, p history.ProbeSample) history.Sample {
	s := history.Sample{Began: began}
	*s.Probe(health.ProbeProsody) = p
	return s
}

func TestLatency(t *testing.T) {
	a := newAxis(ago(60), noon)
	draw := func(samples []history.Sample) chart {
		c := chart{Name: "prosody"}
		c.latency(a, samples, health.ProbeProsody)
		return c
	}
	c := draw(probed(0.01, 0.02, 0, 0.005))
	if c.Line != "M560 23.5L580 1L590 16L600 16" || c.Area != c.Line+"L600 32L560 32Z" || c.Peak != "max 20 ms" ||
		len(c.Failures) > 0 {
		t.Errorf("the chart is %+v", c)
	}
	c = draw(probed(0.01, -3, -3, 0.01, -3))
	if got := bands(c.Failures); got != " 550+10,  570+20" ||
		c.Alt != "prosody: at most 3 s, failed in 3 of 5 samples." || c.Failures[0].Title != "failed from 11:55:00" {
		t.Errorf("the failures are %s: %s", got, c.Alt)
	}
	late := prosodySample(ago(10), history.ProbeSample{Took: 3, FailedAfter: 60, Failed: true, Ran: true})
	if c = draw([]history.Sample{late}); bands(c.Failures) != " 510+90" || c.Failures[0].Title != "failed from 11:51:00" {
		t.Errorf("a failure in the middle of a sample is drawn at %s, %+v", bands(c.Failures), c.Failures)
	}
	// The probe hangs: some samples have no run, and in others the run ends late.
	hangs := history.ProbeSample{Took: 3, FailedAfter: 30, Ran: true, Failed: true, FailedFirst: true, FailedLast: true}
	recovers := history.ProbeSample{Took: 3, Ran: true}
	c = draw([]history.Sample{
		prosodySample(ago(10), recovers), prosodySample(ago(20), history.ProbeSample{}), prosodySample(ago(30), hangs),
		prosodySample(ago(40), history.ProbeSample{}), prosodySample(ago(50), hangs),
	})
	if got := bands(c.Failures); got != " 105+395" || c.Alt != "prosody: at most 3 s, failed in 2 of 3 samples." {
		t.Errorf("a failure without a break is drawn at %s: %s", got, c.Alt)
	}
	again := hangs
	again.FailedFirst = false
	c = draw([]history.Sample{prosodySample(ago(10), again), prosodySample(ago(20), hangs)})
	if got := bands(c.Failures); got != " 405+95,  505+95" {
		t.Errorf("a failure after a recovery in the same sample is drawn at %s", got)
	}
	if c = draw(nil); c.Line != "" || c.Peak != "" {
		t.Errorf("without samples the chart is %+v", c)
	}
	if c = draw([]history.Sample{prosodySample(ago(61), history.ProbeSample{Ran: true, Took: 1})}); c.Line != "" {
		t.Errorf("what is over is drawn: %+v", c)
	}
	many := make([]history.Sample, 720)
	for i := range many {
		many[i] = prosodySample(ago(float64(i)/12), history.ProbeSample{Ran: true, Took: float32(i%7) / 100,
			Failed: i%2 == 0})
	}
	if c = draw(many); len(c.Line) > 4000 || len(c.Failures) != 1 {
		t.Errorf("an hour takes %d bytes and %d failures", len(c.Line), len(c.Failures))
	}
}

func TestSteps(t *testing.T) {
	a := newAxis(ago(60), noon)
	var c chart
	samples := []history.Sample{{Known: true, Weight: 50}, {Known: true, Weight: 100}, {}, {Known: true, Weight: 100},
		{Known: true, Weight: 100}, {}}
	for i := range samples {
		samples[i].Began = ago(float64(i + 1))
	}
	c.steps(a, samples, 100, func(s history.Sample) (float64, bool) { return float64(s.Weight), s.Known })
	if c.Line != "M550 1H570M580 1H590V16H600" || c.Area != "M550 1H570V32H550ZM580 1H590V16H600V32H580Z" {
		t.Errorf("the line is %s, the area %s", c.Line, c.Area)
	}
}

func TestWords(t *testing.T) {
	a := newAxis(ago(60), noon)
	var c chart
	words := []health.Word{health.WordReady, health.WordReady, health.WordUnhealthy, health.WordMaint, ""}
	samples := make([]history.Sample, len(words))
	for i, w := range words {
		samples[i] = history.Sample{Began: ago(float64(10 * (i + 1))), Word: w}
	}
	c.words(a, samples)
	if got := bands(c.Bands); got != "up 400+200, down 300+100, maint 200+100" {
		t.Errorf("the bands are %s", got)
	}
}

func TestSeconds(t *testing.T) {
	for value, want := range map[float64]string{0: "0 ms", 0.00004: "0 ms", 0.0004: "0.4 ms", 0.00994: "9.9 ms",
		0.01: "10 ms", 0.9994: "999 ms", 0.9999: "1 s", 3.04: "3 s", 9.94: "9.9 s", 61: "61 s"} {
		if got := seconds(value); got != want {
			t.Errorf("%v s are %q, want %q", value, got, want)
		}
	}
}

func TestDuration(t *testing.T) {
	for value, want := range map[time.Duration]string{
		0: "0:00", 400 * time.Millisecond: "0:00", 600 * time.Millisecond: "0:01", 78 * time.Second: "1:18",
		3661 * time.Second: "1:01:01", 50 * time.Hour: "2 d 02:00:00",
	} {
		if got := duration(value); got != want {
			t.Errorf("%s is %q, want %q", value, got, want)
		}
	}
}

func TestNiceCeiling(t *testing.T) {
	for value, want := range map[float64]float64{0: 1, 0.0021: 0.005, 1: 1, 1.1: 2, 420: 500, 500: 500, 501: 1000,
		10: 10} {
		if got := niceCeiling(value); got < want*0.999 || got > want*1.001 {
			t.Errorf("above %v comes %v, want %v", value, got, want)
		}
	}
}

// TestMoreChanges checks that the page lists 20 changes and the number of older ones.
func TestMoreChanges(t *testing.T) {
	p := new(page)
	changes := make([]history.Change, 256)
	for i := range changes {
		changes[i] = history.Change{At: health.Time(ago(float64(i))), State: "ready"}
	}
	shown, more := p.changes(changes, noon)
	if len(shown) != maxChanges || more != 236 || shown[1].Lasts != "1:00" || shown[0].Lasts != "0:00" {
		t.Errorf("%d shown, %d more, the second lasted %s", len(shown), more, shown[1].Lasts)
	}
}
