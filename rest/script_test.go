package rest

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestScripts runs testdata/*.txt: each line sends a request, or checks the last reply.
//
//	set CENSUS_POLL | set METRICS=false    at the beginning
//	state NAME                             the observations of the node: see states
//	send NAME: VALUE                       a header of the next request
//	METHOD PATH
//	code N                                 the status code of the last reply
//	header NAME: VALUE                     the whole value of a header; "header NAME:" if it must be missing
//	body is TEXT | body contains TEXT | body lacks TEXT
//	body is JSON                           followed by the JSON, indented; keys, their order and values must match
//	HEAD agrees                            a HEAD request gets the same status, headers and length, and no body
func TestScripts(t *testing.T) {
	files, err := filepath.Glob("testdata/*.txt")
	if err != nil || len(files) == 0 {
		t.Fatalf("no scripts: %v", err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txt"), func(t *testing.T) {
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			(&script{lines: strings.Split(string(text), "\n")}).run(t)
		})
	}
}

type script struct {
	lines  []string
	next   int
	setup  setup
	server *runningServer // started by the first line that is not a setting

	headers      []string // for the next request
	method, path string   // of the last request
	sent         []string
	reply        reply
}

func (s *script) run(t *testing.T) {
	for s.next < len(s.lines) {
		line := s.lines[s.next]
		s.next++
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		s.line(t, line)
		if t.Failed() {
			t.Fatalf("line %d: %s\nof %s %s, which answered %d %v\n%.2000s", s.next, line, s.method, s.path, s.reply.code,
				s.reply.header, s.reply.body)
		}
	}
	if s.path == "" {
		t.Error("the script asks for nothing")
	}
}

func (s *script) line(t *testing.T, line string) {
	word, rest, _ := strings.Cut(line, " ")
	if word == "set" {
		s.set(t, rest)
		return
	}
	if s.server == nil {
		s.server = startServer(t, s.setup)
	}
	switch {
	case word == "state":
		s.server.node.enter(t, rest)
	case word == "send":
		s.headers = append(s.headers, rest)
	case word == "code":
		s.wantCode(t, rest)
	case word == "header":
		s.wantHeader(t, rest)
	case word == "body":
		s.wantBody(t, rest)
	case line == "HEAD agrees":
		s.wantHeadToAgree(t)
	case strings.HasPrefix(rest, "/"):
		s.method, s.path, s.sent, s.headers = word, rest, s.headers, nil
		s.reply = s.server.ask(t, s.method, s.path, s.sent...)
		readDescription(t).check(t, s.method, s.path, s.reply)
	default:
		t.Error("not understood")
	}
}

func (s *script) set(t *testing.T, setting string) {
	switch {
	case s.server != nil:
		t.Error("settings come first")
	case setting == "CENSUS_POLL":
		s.setup.census = true
	case setting == "METRICS=false":
		s.setup.noMetrics = true
	default:
		t.Error("unknown setting")
	}
}

func (s *script) wantCode(t *testing.T, want string) {
	code := json.Number(want)
	if n, err := code.Int64(); err != nil || int(n) != s.reply.code {
		t.Errorf("the status is %d", s.reply.code)
	}
}

func (s *script) wantHeader(t *testing.T, want string) {
	name, value, ok := strings.Cut(want, ":")
	value = strings.TrimSpace(value)
	got := strings.Join(s.reply.header.Values(name), " AND ")
	if !ok || got != value {
		t.Errorf("the header is %q", got)
	}
}

func (s *script) wantBody(t *testing.T, want string) {
	kind, text, _ := strings.Cut(want, " ")
	switch {
	case want == "is JSON":
		s.wantJSON(t)
	case kind == "is" && s.reply.body != text:
		t.Errorf("the body is %q", s.reply.body)
	case kind == "contains" && !strings.Contains(s.reply.body, text):
		t.Error("the body does not contain it")
	case kind == "lacks" && strings.Contains(s.reply.body, text):
		t.Error("the body contains it")
	case kind != "is" && kind != "contains" && kind != "lacks":
		t.Error("not understood")
	}
}

// wantJSON compares with the indented lines that follow; only white space between tokens may differ.
func (s *script) wantJSON(t *testing.T) {
	var literal strings.Builder
	for s.next < len(s.lines) && strings.HasPrefix(s.lines[s.next], " ") {
		literal.WriteString(s.lines[s.next])
		s.next++
	}
	var want, got bytes.Buffer
	if err := json.Compact(&want, []byte(literal.String())); err != nil {
		t.Fatalf("the script's JSON: %v", err)
	}
	if err := json.Compact(&got, []byte(s.reply.body)); err != nil {
		t.Errorf("the body's JSON: %v", err)
	}
	if want.String() != got.String() {
		t.Errorf("the body is\n%s\nwant\n%s", got.String(), want.String())
	}
}

func (s *script) wantHeadToAgree(t *testing.T) {
	head := s.server.ask(t, "HEAD", s.path, s.sent...)
	if head.body != "" {
		t.Errorf("HEAD has a body: %q", head.body)
	}
	if head.code != s.reply.code || head.length != s.reply.length {
		t.Errorf("HEAD answers %d with length %d, %s answered %d with length %d", head.code, head.length, s.method,
			s.reply.code, s.reply.length)
	}
	for _, header := range []map[string][]string{head.header, s.reply.header} {
		delete(header, "Date")
		for name := range header {
			if got, want := head.header.Get(name), s.reply.header.Get(name); got != want {
				t.Errorf("HEAD says %s: %q, %s said %q", name, got, s.method, want)
			}
		}
	}
}
