package rest

import (
	"testing"
	"time"

	"github.com/signal-sidecar/signal-sidecar/health"
	"github.com/signal-sidecar/signal-sidecar/history"
)

// TestFormats checks how the page writes durations, times and numbers.
func TestFormats(t *testing.T) {
	for d, want := range map[time.Duration]string{
		1400 * time.Millisecond: "0:01", 61 * time.Second: "1:01", time.Hour: "1:00:00", 86399 * time.Second: "23:59:59",
		24 * time.Hour: "1 d 00:00:00", 328*24*time.Hour + 7384*time.Second: "328 d 02:03:04",
	} {
		if got := duration(d); got != want {
			t.Errorf("%s is %q, want %q", d, got, want)
		}
	}
	for at, want := range map[time.Time]string{
		noon.Add(-11 * time.Hour): "01:00:00", noon.Add(-13 * time.Hour): "28 Feb 2026 23:00:00",
		noon.AddDate(-1, 0, 0): "1 Mar 2025 12:00:00",
	} {
		if got := newMoment(at, noon).Text; got != want {
			t.Errorf("%s is %q, want %q", at, got, want)
		}
	}
	if one, two := countOf(1.2, "conference"), countOf(2000, "conference"); one != "1 conference" ||
		two != "2,000 conferences" {
		t.Errorf("%s, %s", one, two)
	}
	for n, want := range map[float64]string{
		0: "0", 999: "999", 1000: "1,000", 2.6709680000000002: "3", 1234567: "1,234,567",
	} {
		if got := Count(n); got != want {
			t.Errorf("%v is %q, want %q", n, got, want)
		}
	}
}

// TestParticipantsRow checks that participants are drawn against PARTICIPANT_MAX, and that the maximum is a line in the
// chart while they are above it.
func TestParticipantsRow(t *testing.T) {
	a := newAxis(ago(60), noon)
	for peak, want := range map[float64]struct {
		line  string
		limit number
	}{
		2500: {"M500 16H600", 0}, 5000: {"M500 1H600", 0}, 10_000: {"M500 1H600", 16},
	} {
		p := &page{PageOptions: PageOptions{ParticipantMax: 5000}}
		row := p.participantsRow(&health.Snapshot{}, []history.Sample{{Began: ago(10), Loaded: true, Participants: peak}}, a)
		if row.Line != want.line || row.Limit != want.limit || row.Detail != "of 5,000" {
			t.Errorf("%v participants: %+v", peak, row)
		}
	}
}

// TestUnusedWeight checks that the page does not show the weight in the reply of a node that is down, or whose status
// is unknown.
func TestUnusedWeight(t *testing.T) {
	samples := []history.Sample{
		{Began: ago(10), Known: true, Down: true, Weight: 100, Word: health.WordReady},
		{Began: ago(20), Known: true, Weight: 100, Word: health.WordReady},
		{Began: ago(30), Known: true, Weight: 100, Word: health.WordUnknown},
	}
	for want, verdict := range map[string]health.Verdict{
		"not used while down":     {Known: true},
		"not used while draining": {Known: true, Healthy: true, Status: health.StatusUnknown, Weight: 100},
	} {
		row := weightRow(&health.Snapshot{Verdict: verdict}, samples, newAxis(ago(60), noon))
		if row.Now != "–" || row.Detail != want || row.Line != "M400 1H500" {
			t.Errorf("want %s: %+v", want, row)
		}
	}
}

// TestKindsLookDifferent checks that each kind in the legend has a height and pattern of its own, without its colour.
func TestKindsLookDifferent(t *testing.T) {
	p := &page{source: newNode(false), history: &fixedHistory{}}
	looks := map[string]string{}
	for _, b := range p.view(p.source.Current(), noon).Legend {
		look := b.Height().String() + b.Pattern()
		if looks[look] != "" || b.Height() <= 0 || b.Height() > chartHeight {
			t.Errorf("%s looks like %s: %s", b.Kind, looks[look], look)
		}
		looks[look] = b.Kind
	}
	if len(looks) != 6 {
		t.Errorf("the legend has %v", looks)
	}
	signs := map[string]string{}
	for kind, sign := range iconSigns {
		if other := signs[sign]; other != "" && kind != kindNone && other != kindNone {
			t.Errorf("the icons of %s and %s have the same sign", kind, other)
		}
		signs[sign] = kind
	}
}
