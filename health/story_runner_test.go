package health_test

import (
	"strings"
	"testing"
)

// TestStoryRunnerFails checks that the runner can fail. Each of these stories is wrong in one place, and the runner
// must report the place and the difference.
func TestStoryRunnerFails(t *testing.T) {
	const timeline = "# a lie\n0s ready → up ready 100%\n10s jicofo 503"
	for _, lie := range []struct{ name, rest, failure string }{
		{"health", " → down drain 0% damped until 130s",
			`x.story:3: at 10s: the story says "down drain 0% damped until 2m10s", the node says "up drain 0% damped until 2m10s"`},
		{"status", " → up ready 0% damped until 130s", `the node says "up drain 0%`},
		{"weight", " → up drain 5% damped until 130s", `the node says "up drain 0%`},
		{"damped", " → up drain 0% until 130s", `the node says "up drain 0% damped until 2m10s"`},
		{"until", " → up drain 0% damped until 131s", `the story says "up drain 0% damped until 2m11s"`},
		{"until by 1 ns", " → up drain 0% damped until 130s-1ns", `the story says "up drain 0% damped until 2m9.999999999s"`},
		{"until not told", " → up drain 0% damped", `the node says "up drain 0% damped until 2m10s"`},
		{"reason", " → up drain 0% damped until 130s reason jicofo_timeout", `damped until 2m10s reason jicofo_overloaded"`},
		{"no reason", " → up drain 0% damped until 130s reason none", `reason jicofo_overloaded"`},
		{"since", " → up drain 0% damped until 130s since 0s", `since 10s"`},
		{"status word", " → up drain 0% damped until 130s status unknown", `status drain"`},
		{"runs", " → up drain 0% damped until 130s runs 0", `runs 1"`},
		{"no verdict", " → no verdict", `the story says "no verdict"`},
		{"a deadline that is not told", "\n200s → down ready 100%",
			`x.story:4: at 3m20s: at 2m10s the verdict turned to "down ready 100%", and no line tells of it`},
		{"a deadline 1 ns early", "\n130s-1ns → down ready 100%", `the node says "up drain 0% damped until 2m10s"`},
		{"a deadline 1 ns late", "\n130s → up drain 0% damped until 130s", `the node says "down ready 100%"`},
		{"a cell", "\n20s | ready | maint\njicofo 503 | up drain 0% damped until 130s | up drain 0% damped until 130s",
			`x.story:5: at 20s (jicofo 503, maint): the story says`},
	} {
		t.Run(lie.name, func(t *testing.T) {
			stories, err := parseStory("x.story", timeline+lie.rest)
			if err != nil {
				t.Fatal(err)
			}
			var failures []string
			for _, s := range stories {
				failures = append(failures, play(t, s)...)
			}
			if len(failures) != 1 || !strings.Contains(failures[0], lie.failure) {
				t.Errorf("the runner said %q, want one failure with %q", failures, lie.failure)
			}
		})
	}
}

// TestStoryPolls shows the effect of poll: the dampening counts from the last observation, so the same timeline ends
// differently with polls and without.
func TestStoryPolls(t *testing.T) {
	const timeline = "\n0s → up ready 100%\n10s prosody 500 → down ready 100%\n60s prosody 200 → "
	for _, text := range []string{
		"# never seen again after 10s" + timeline + "up ready 100%",
		"# last seen at 55s\npoll 5s" + timeline + "down ready 100% damped until 85s",
		"# last seen at 56s\npoll 7s" + timeline + "down ready 100% damped until 86s",
	} {
		stories, err := parseStory("x.story", text)
		if err != nil {
			t.Fatal(err)
		}
		for _, failure := range play(t, stories[0]) {
			t.Error(failure)
		}
	}
}

// TestStorySyntaxErrors checks that a syntax error stops the story with its place, and that no line is skipped.
func TestStorySyntaxErrors(t *testing.T) {
	for _, c := range []struct{ text, want string }{
		{"0s ready → up ready 100%", "x.story:1: a story starts with a comment that says what it shows"},
		{"# a\n0s ready", "x.story:2: a story that expects nothing"},
		{"# a\n\n0s", "x.story:3: a line that observes nothing and expects nothing"},
		{"# a\nlater → up ready 100%", `x.story:2: "later" is no moment`},
		{"# a\n10s+x → up ready 100%", `x.story:2: "10s+x" is no moment`},
		{"# a\n10s ready\n9s → up ready 100%", "x.story:3: 9s lies before the line above"},
		{"# a\n0s raedy → up ready 100%", `x.story:2: "raedy": no such observation`},
		{"# a\n0s ready,, drain → up ready 100%", `x.story:2: "": no such observation`},
		{"# a\n0s ready drain → up ready 100%", `x.story:2: "ready drain": no such observation`},
		{"# a\n0s jigasi 200 → up ready 100%", `x.story:2: "jigasi 200": no such observation`},
		{"# a\n0s jicofo 99 → up ready 100%", `x.story:2: "jicofo 99": neither an HTTP status code`},
		{"# a\n0s stats broken → up ready 100%", `x.story:2: "stats broken": neither an HTTP status code`},
		{"# a\n0s participants many → up ready 100%", `x.story:2: "participants many": `},
		{"# a\n0s file \"ready → up ready 100%", "x.story:2: a quotation that does not end"},
		{"# a\n0s file ready → up ready 100%", `x.story:2: "file ready": invalid syntax`},
		{"# a\n0s ready →", `x.story:2: "" starts with no agent line`},
		{"# a\n0s ready → up", `x.story:2: "up" starts with no agent line`},
		{"# a\n0s ready → up unknown 100%", `x.story:2: "up unknown 100%" starts with no agent line`},
		{"# a\n0s ready → up ready 101%", `x.story:2: "up ready 101%" starts with no agent line`},
		{"# a\n0s ready → up ready 100% dampened", "x.story:2: dampened: no such word"},
		{"# a\n0s ready → up ready 100% until", "x.story:2: until: no such word, or nothing behind it"},
		{"# a\n0s ready → up ready 100% until soon", `x.story:2: "soon" is no moment`},
		{"# a\n0s ready → up ready 100% reason weather", "x.story:2: weather is no declared reason"},
		{"# a\n0s ready → up ready 100% status unhealthy", "x.story:2: unhealthy is no status"},
		{"# a\n0s ready → up ready 100% runs often", `x.story:2: strconv.Atoi: parsing "often"`},
		{"# a\n0s ready → up ready 100% probably so", "x.story:2: probably: no such word in an expectation"},
		{"# a\nset DRAIN_GRACE=1", "x.story:2: DRAIN_GRACE=1: no such setting"},
		{"# a\nset DRAIN_GRACE_INTERVAL=long", "x.story:2: DRAIN_GRACE_INTERVAL=long: time: invalid duration"},
		{"# a\nset DRAIN_GRACE_SCOPE=hard", "x.story:2: DRAIN_GRACE_SCOPE=hard: neither jicofo nor soft"},
		{"# a\nset WEIGHT_PARTICIPANTS=often", "x.story:2: WEIGHT_PARTICIPANTS=often: "},
		{"# a\n0s ready → up ready 100%\nset PARTICIPANT_MAX=1",
			"x.story:3: set needs NAME=VALUE, and stands before the first line"},
		{"# a\npoll often", "x.story:2: time: invalid duration"},
		{"# a\npoll 0s", "x.story:2: poll needs an interval above 0"},
		{"# a\nlet X up ready 100%", "x.story:2: let needs NAME = EXPECTATION"},
		{"# a\nlet X = high", `x.story:2: "high" starts with no agent line`},
		{"# a\n0s | ready", "x.story:2: a matrix without rows"},
		{"# a\n0s | raedy\nready | up ready 100%", `x.story:2: "raedy": no such observation`},
		{"# a\n0s | ready\nprosody 200 | up ready 100% | up ready 100%",
			"x.story:3: a matrix row of 2 cells, below 1 columns"},
		{"# a\n0s | ready\nprosody | up ready 100%", `x.story:3: "prosody": no such observation`},
		{"# a\n0s | ready\nprosody 200 | X", `x.story:3: "X" starts with no agent line`},
		{"# a\n0s | ready\n1s ready → up ready 100%", "x.story:3: a matrix row of 0 cells, below 1 columns"},
	} {
		if _, err := parseStory("x.story", c.text); err == nil || !strings.HasPrefix(err.Error(), c.want) {
			t.Errorf("parseStory(%q) says %v, want %s…", c.text, err, c.want)
		}
	}
}
