package health_test

import (
	"strings"
	"testing"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/signal-sidecar/signal-sidecar/health"
)

// TestNormalize checks that the grace is longer than the dampening interval when both are enabled.
func TestNormalize(t *testing.T) {
	for _, c := range []struct{ dampening, grace, want time.Duration }{
		{30 * time.Second, 120 * time.Second, 120 * time.Second},
		{30 * time.Second, 30*time.Second + 1, 30*time.Second + 1},
		{30 * time.Second, 30 * time.Second, 31 * time.Second},
		{30 * time.Second, 30*time.Second - 1, 31 * time.Second},
		{30 * time.Second, 1, 31 * time.Second},
		{1500 * time.Millisecond, time.Second, 2500 * time.Millisecond},
		{0, time.Second, time.Second},
		{30 * time.Second, 0, 0},
		{0, 0, 0},
	} {
		given := defaultConfig()
		given.HealthDampening, given.DrainGrace = c.dampening, c.grace
		got, warnings := given.Normalize()
		want := given
		want.DrainGrace = c.want
		if got != want {
			t.Errorf("dampening %s, grace %s: %+v, want %+v", c.dampening, c.grace, got, want)
		}
		if (len(warnings) == 1) != (c.want != c.grace) || len(warnings) > 1 {
			t.Errorf("dampening %s, grace %s: the warnings are %q", c.dampening, c.grace, warnings)
		}
		if again, more := got.Normalize(); again != got || more != nil {
			t.Errorf("dampening %s, grace %s: normalized twice it is %+v, with %q", c.dampening, c.grace, again, more)
		}
	}
}

// TestNormalizeWarning checks that the warning names the changed setting, the reason and the new value.
func TestNormalizeWarning(t *testing.T) {
	c := defaultConfig()
	c.DrainGrace = 20 * time.Second
	_, warnings := c.Normalize()
	if len(warnings) != 1 {
		t.Fatalf("the warnings are %q", warnings)
	}
	for _, part := range []string{"DRAIN_GRACE_INTERVAL", "20s", "HEALTH_DAMPENING_INTERVAL", "30s", "31s"} {
		if !strings.Contains(warnings[0], part) {
			t.Errorf("%q does not say %s", warnings[0], part)
		}
	}
}

// TestTrimStatus checks for each character, at either end and at both, that TrimStatus removes it exactly when
// JavaScript's trim does.
func TestTrimStatus(t *testing.T) {
	for r := rune(0); r <= unicode.MaxRune; r++ {
		if !utf8.ValidRune(r) {
			continue
		}
		text, want := string(r)+"maint"+string(r)+string(r), "maint"
		if !strings.ContainsRune(javaScriptTrims, r) {
			want = text
		}
		if got := health.TrimStatus(text); got != want {
			t.Errorf("TrimStatus(%+q) is %+q, want %+q", text, got, want)
		}
	}
	if got := health.TrimStatus("\xEF\xBB\xBFmaint"); got != "maint" {
		t.Errorf("a byte order mark is kept: %q", got)
	}
	if got := health.TrimStatus(" \uFEFF\n "); got != "" {
		t.Errorf("nothing but space: %q", got)
	}
}

// FuzzParseWord compares with the known words: trimmed, case-insensitive, and anything else is unknown. İ is the
// only letter beyond ASCII whose lower case is a letter of these words: a Turkish locale writes DRAİN for drain.
func FuzzParseWord(f *testing.F) {
	for _, seed := range []string{
		"ready", "drain", "maint", "unhealthy", "READY\n", " \tDrain\r\n", "mAINT ", "", " ", "\x00", "unknown", "readyready",
		"ready drain", "ready\nmaint", "ready\x00", "\ufeffready", "\u0085ready", "\u00a0ready\u2003", "DRAİN", "dra\u0131n",
		"maınt", "\xff\xfe", "ｒｅａｄｙ",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, contents string) {
		want, folded := health.WordUnknown, strings.ReplaceAll(strings.Trim(contents, javaScriptTrims), "İ", "i")
		for _, word := range []health.Word{health.WordReady, health.WordDrain, health.WordMaint, health.WordUnhealthy} {
			if strings.EqualFold(folded, string(word)) {
				want = word
			}
		}
		got := health.ParseWord(contents)
		if got != want {
			t.Errorf("ParseWord(%q) is %q, want %q", contents, got, want)
		}
		if got.Known() != (want != health.WordUnknown) {
			t.Errorf("%q: Known is %t", got, got.Known())
		}
		if again := health.ParseWord(string(got)); again != got {
			t.Errorf("ParseWord(%q) is %q, which reads as %q", contents, got, again)
		}
	})
}

// TestWordOfNoFile checks that an unreadable file has no word, whatever Contents holds, and that the zero Word is not a
// known word.
func TestWordOfNoFile(t *testing.T) {
	var none *health.StatusFile
	for _, file := range []*health.StatusFile{none, {}, {Contents: "ready"}} {
		if got := file.Word(); got != health.WordUnknown {
			t.Errorf("%+v says %q", file, got)
		}
	}
	if health.Word("").Known() {
		t.Error("the empty word is known")
	}
}
