package main

import (
	"bytes"
	"io"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/signal-sidecar/signal-sidecar/testbed"
)

// TestMain makes the test binary act as the bare handler too, as the program does.
func TestMain(m *testing.M) {
	if len(os.Args) == 2 && os.Args[1] == bareArgument {
		main()
		return
	}
	testbed.Main(m)
}

func TestPercentile(t *testing.T) {
	hundred := make([]time.Duration, 100)
	for i := range hundred {
		hundred[i] = time.Duration(100 - i)
	}
	for _, tt := range []struct {
		values []time.Duration
		p      float64
		want   time.Duration
	}{
		{nil, .5, 0}, {[]time.Duration{7}, .5, 7}, {[]time.Duration{7}, .99, 7}, {[]time.Duration{3, 1, 2}, .5, 2},
		{[]time.Duration{4, 3, 2, 1}, .5, 2}, {hundred, .5, 50}, {hundred, .99, 99}, {hundred, 1, 100}, {hundred, 0, 1},
	} {
		if got := percentile(tt.values, tt.p); got != tt.want {
			t.Errorf("percentile of %d values at %v = %d, want %d", len(tt.values), tt.p, got, tt.want)
		}
	}
	if hundred[0] != 100 {
		t.Error("the values were put in order in place")
	}
}

func TestMedians(t *testing.T) {
	for _, tt := range []struct{ got, want float64 }{
		{median(nil), 0}, {median([]float64{3, 1, 2}), 2}, {median([]float64{4, 1, 3, 2}), 2.5},
		{medianRatio([]float64{2, 9, 8}, []float64{1, 3, 2}), 3}, {medianRatio([]float64{2, 5}, []float64{0, 2}), 2.5},
		{medianRatio(nil, nil), 0},
	} {
		if tt.got != tt.want {
			t.Errorf("got %v, want %v", tt.got, tt.want)
		}
	}
}

func TestReadsWhatTheKernelSays(t *testing.T) {
	got, err := parseFields(strings.NewReader("5579-7ffc ---p 00000000 00:00 0    [rollup]\nRss:              1234 kB\nAnonymous:    7 kB\nThreads:\t9\n"))
	if err != nil || len(got) != 2 || got["Rss"] != 1234 || got["Anonymous"] != 7 {
		t.Errorf("got %v, %v", got, err)
	}
	if m, err := readMemory(os.Getpid()); err != nil || m.anonymous <= 0 || m.rss < m.anonymous {
		t.Errorf("the memory of this process: %+v, %v", m, err)
	}
	if peak, err := peakMemory(os.Getpid()); err != nil || peak <= 0 {
		t.Errorf("the peak of this process: %d, %v", peak, err)
	}
	if err := forgetPeak(os.Getpid()); err != nil {
		t.Error(err)
	}
	if cpu, err := cpuTime(os.Getpid()); err != nil || cpu <= 0 {
		t.Errorf("the CPU of this process: %v, %v", cpu, err)
	}
	if _, err := cpuTime(1<<22 + 1); err == nil {
		t.Error("no error for the CPU of a process that is not there")
	}
}

func TestCountsSeries(t *testing.T) {
	if n := countSeries([]byte("# HELP a b\n# TYPE a counter\na{c=\"d\"} 1\n\na 2\nlast 3")); n != 3 {
		t.Errorf("got %d, want 3", n)
	}
}

func TestReadsShowStat(t *testing.T) {
	got, err := parseView("# pxname,svname,qcur,status,\nheld,s0,0,no check,\nheld,s1,0,DRAIN (agent),\n\n")
	if err != nil || len(got) != 2 || got["held/s0"] != "no check" || got["held/s1"] != "DRAIN (agent)" {
		t.Errorf("got %q, %v", got, err)
	}
	for _, text := range []string{"", "# a,b\n1,2\n", "# a,b\n1\n"} {
		if got, err := parseView(text); err == nil {
			t.Errorf("%q: got %q, want an error", text, got)
		}
	}
}

func TestChoosesSections(t *testing.T) {
	if chosen, err := choose("binary,start"); err != nil || len(chosen) != 2 || chosen[0].name != "binary" {
		t.Errorf("got %v, %v", chosen, err)
	}
	if chosen, err := choose(""); err != nil || len(chosen) != len(parts()) {
		t.Errorf("got %v, %v; want all", chosen, err)
	}
	if _, err := choose("start,elsewhere"); err == nil {
		t.Error("no error for a section that is not there")
	}
}

func TestPage(t *testing.T) {
	var page bytes.Buffer
	writePage(&page, machine{cpu: "Z80"},
		[]section{{title: "Start", how: "So.", notes: []string{"Note."}, growth: [][]string{{"n", "cost"}, {"1", "2"}},
			rows: []row{atMost("start, p50", 25, 24.96, 1, "ms"), atMost("start, p99", .6, .61, 2, "ms"),
				unchecked("size", "1 B")}}})
	for _, want := range []string{
		"machine: Z80", "## Start\n\nSo.\n\n| figure | goal | measured | ok? |\n| --- | --- | --- | --- |\n",
		"| start, p50 | ≤ 25 ms | 25.0 ms | yes |\n| start, p99 | ≤ 0.6 ms | 0.61 ms | **no** |\n| size | – | 1 B | – |\n",
		"- start, p99: 0.61 ms (goal ≤ 0.6 ms). ", "\n| n | cost |\n| --- | --- |\n| 1 | 2 |\n", "\nNote.\n",
	} {
		if !strings.Contains(page.String(), want) {
			t.Errorf("the page lacks %q:\n%s", want, page.String())
		}
	}
}

// TestMeasures runs sections. It does not check the measured values.
func TestMeasures(t *testing.T) {
	b := &bench{binary: testbed.Binary(t), quick: true, folder: t.TempDir(), log: io.Discard}
	chosen, err := choose("start,binary")
	if err != nil {
		t.Fatal(err)
	}
	sections, err := b.measure(chosen)
	if err != nil {
		t.Fatal(err)
	}
	for i, rows := range []int{2, 1} {
		if len(sections[i].rows) != rows || len(sections[i].notes) > 0 {
			t.Errorf("%s: %+v, want %d rows and no notes", chosen[i].name, sections[i], rows)
		}
	}
	t.Run("bare", func(t *testing.T) { comparesWithBare(t, b) })
}

// comparesWithBare checks that the bare handler replies like the sidecar, and puts both under load for a short time.
func comparesWithBare(t *testing.T, b *bench) {
	car, err := b.start(nil)
	if err != nil {
		t.Fatal(err)
	}
	defer car.stop()
	bare, same, err := startBare(car, "/signal/report")
	if err != nil {
		t.Fatal(err)
	}
	defer endChild(bare)
	rounds, err := inTurn(2, 2, 50*time.Millisecond, requests(car.pid(), car.http, "/signal/report"), same,
		checks(car.pid(), car.agent))
	if err != nil {
		t.Fatal(err)
	}
	for i, of := range rounds {
		for _, l := range of {
			if len(l.latencies) == 0 || l.failed > 0 || l.cpu <= 0 || l.perSecond() <= 0 || l.cost() <= 0 {
				t.Errorf("target %d: %d answers, %d failures, %v of CPU", i, len(l.latencies), l.failed, l.cpu)
			}
		}
	}
}
