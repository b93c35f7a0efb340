package collector

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math"
	"reflect"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/signal-sidecar/signal-sidecar/health"
	"github.com/signal-sidecar/signal-sidecar/signalnode"
)

func TestCensus(t *testing.T) {
	tests := []struct {
		name, host string
	}{
		{"host of its own", "meet.example.com"},
		{"host with port", "meet.example.com:5280"},
		{"the origin's", ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			node, r := startNode(t), newRig(t)
			if tt.host == "" {
				node.SetDomain("127.0.0.1")
			}
			node.SetRooms([]signalnode.Room{
				{Name: "a@conference.meet.example.com", Participants: 3, CreatedTime: 1700000000000},
				{Name: "b@conference.meet.example.com", Participants: 4, CreatedTime: "1700000000001", Leaked: true},
			})
			r.run(NewCensus(node.Prosody.Origin(), tt.host, r.options))
			got := r.next().Census
			const rooms = `[{"room_name":"a@conference.meet.example.com","participants":3,"created_time":1700000000000},` +
				`{"room_name":"b@conference.meet.example.com","participants":4,"created_time":"1700000000001","leaked":true}]`
			if !got.OK() || got.Participants != 7 || got.SumSquared != 25 || string(got.Rooms) != rooms {
				t.Errorf("saw %+v with rooms %s", *got, got.Rooms)
			}
			want := tt.host
			if want == "" {
				want = strings.TrimPrefix(node.Prosody.Origin(), "http://")
			}
			if n, requests := node.Prosody.Requests("/room-census"); n != 1 || requests[0].Host != want ||
				requests[0].Method != "GET" {
				t.Errorf("%d requests, the latest %+v; want one GET with Host %s", n, requests, want)
			}
		})
	}
}

// TestCensusHostOverRedirect checks that the virtual host stays when prosody redirects to another of its paths.
func TestCensusHostOverRedirect(t *testing.T) {
	node, r := startNode(t), newRig(t)
	behave(t, node.Prosody, "/room-census", "redirect 2")
	r.run(NewCensus(node.Prosody.Origin(), "meet.example.com", r.options))
	if got := r.next().Census; !got.OK() {
		t.Errorf("saw %+v", *got)
	}
	_, requests := node.Prosody.Requests("/room-census")
	for _, q := range requests {
		if q.Host != "meet.example.com" {
			t.Errorf("the request for %s?%s was for host %s", q.Path, q.Query, q.Host)
		}
	}
}

func TestCensusFails(t *testing.T) {
	tests := []struct {
		behavior string
		want     func(c *health.Census) bool
	}{
		{"code 400", func(c *health.Census) bool { return c.Answer.Code == 400 && c.Problem == "" }},
		{"code 404", func(c *health.Census) bool { return c.Answer.Code == 404 }},
		{"notjson",
			func(c *health.Census) bool { return c.Answer.OK() && strings.HasPrefix(c.Problem, "not a JSON object") }},
		{"crash", func(c *health.Census) bool { return c.Answer.Failure == health.FailureRefused }},
		{`body {"room_census":"none"}`, func(c *health.Census) bool {
			return c.Answer.OK() && strings.HasPrefix(c.Problem, "room_census is not an array")
		}},
	}
	for _, tt := range tests {
		t.Run(tt.behavior, func(t *testing.T) {
			t.Parallel()
			node, r := startNode(t), newRig(t)
			behave(t, node.Prosody, "/room-census", tt.behavior)
			r.run(NewCensus(node.Prosody.Origin(), "", r.options))
			got := r.next().Census
			if got.OK() || !tt.want(got) {
				t.Errorf("saw %+v", *got)
			}
			if got.Rooms != nil || got.Participants != 0 || got.SumSquared != 0 {
				t.Errorf("a census that failed counts something: %+v", *got)
			}
		})
	}
}

// TestOddRooms counts the rows without a usable number, and checks that the log shows when they begin and cease to
// occur. A failed census in between changes nothing.
func TestOddRooms(t *testing.T) {
	node, r := startNode(t), newRig(t)
	r.options.Interval = time.Millisecond
	stop := r.run(NewCensus(node.Prosody.Origin(), signalnode.Domain, r.options))
	const begins, ends = "without a usable number", "usable number of participants again"
	logged := func(times int) {
		t.Helper()
		if log := r.log.String(); strings.Count(log, begins) != times || strings.Count(log, ends) != times {
			t.Errorf("want each line %d times in the log:\n%s", times, log)
		}
	}
	until := func(what string, is func(*health.Census) bool) {
		t.Helper()
		for start := time.Now(); ; {
			if is(r.next().Census) {
				return
			}
			if time.Since(start) > bound {
				t.Fatalf("no census with %s", what)
			}
		}
	}
	good := func(odd, leaked int) func(*health.Census) bool {
		return func(c *health.Census) bool { return c.OK() && c.Odd == odd && c.Leaked == leaked }
	}
	for times := 1; times <= 2; times++ {
		behave(t, node.Prosody, "/room-census",
			`body {"room_census":[{"participants":1,"leaked":true},{"participants":"many"},{}]}`)
		until("odd rows", good(2, 1))
		until("odd rows again", good(2, 1))
		behave(t, node.Prosody, "/room-census", "code 500")
		until("a failure", func(c *health.Census) bool { return !c.OK() })
		behave(t, node.Prosody, "/room-census", `body {"room_census":["a"]}`)
		until("another odd row", good(1, 0))
		node.Prosody.Set("/room-census", signalnode.Behavior{})
		until("no odd rows", good(0, 0))
		until("no odd rows again", good(0, 0))
		logged(times)
	}
	stop()
	if log := r.log.String(); !strings.Contains(log,
		`probe=census rooms=2 first="room 2: participants is not a number \"many\""`) {
		t.Errorf("the first odd row is missing in the log:\n%s", log)
	}
}

// TestCensusBound checks that exactly 32 MiB are read at most.
func TestCensusBound(t *testing.T) {
	t.Parallel()
	body := bytes.Repeat([]byte("x"), 32<<20) // the parser rejects it at once: only the read is tested here
	census := func(body []byte) *health.Census {
		r := newRig(t)
		defer r.run(NewCensus(serveBodies(t, map[string][]byte{"/room-census": body}), "", r.options))()
		return r.next().Census
	}
	if got := census(body); !got.Answer.OK() || !strings.HasPrefix(got.Problem, "not a JSON object") {
		t.Errorf("at the bound: %+v", *got)
	}
	if got := census(append(body, 'x')); got.Answer.Failure != health.FailureBodySize {
		t.Errorf("over the bound: %+v", *got)
	}
}

// TestParseCensus covers what each version of prosody's module sends, and values that it should not send.
func TestParseCensus(t *testing.T) {
	tests := []struct {
		name, rows   string // the rows are those of a census
		participants float64
		squared      float64
		odd          int
		first        string // describes the first odd row
	}{
		{"none", `[]`, 0, 0, 0, ""},
		{"one", `[{"room_name":"a","participants":3}]`, 3, 9, 0, ""},
		{"sums", `[{"participants":1},{"participants":2},{"participants":30}]`, 33, 905, 0, ""},
		{"neither users nor focus", `[{"room_name":"a@c","participants":-1},{"room_name":"b@c","participants":5}]`, 5, 25, 0,
			""},
		{"negative in other spellings",
			`[{"participants":-1.0},{"participants":"-1"},{"participants":-1e3},{"participants":-0}]`, 0, 0, 0, ""},
		{"numbers as Lua writes them", `[{"participants":12.0},{"participants":1e1},{"participants":1E+01}]`, 32, 344, 0, ""},
		{"strings that hold a number",
			`[{"participants":"12"},{"participants":"4.0"},{"participants":" 1 "},{"participants":"\u0032"}]`, 19, 165, 0, ""},
		{"fraction", `[{"participants":1.5}]`, 1.5, 2.25, 0, ""},
		{"underflow", `[{"participants":1e-400}]`, 0, 0, 0, ""},
		{"created_time of both types", `[{"created_time":1,"participants":1},{"created_time":"2","participants":1}]`, 2, 2, 0,
			""},
		{"unknown fields and spaces are kept", "[ {\"participants\":1, \"x\":[1e2,{\"y\":\"\\u00fc\"}],\n\"leaked\":true} ]",
			1, 1, 0, ""},
		{"invalid UTF-8",
			"[{\"room_name\":\"\xff\",\"\xfe\":1,\"participants\":2},{\"room_name\":\"\\ud800\",\"participants\":2}]", 4, 8, 0,
			""},
		{"duplicate keys: the last counts",
			`[{"participants":"x","participants":2},{"a":1,"a":2,"participants":3,"participants":1}]`, 3, 5, 0, ""},
		{"escaped key", `[{"p\u0061rticipants":1,"x":"\"\\"}]`, 1, 1, 0, ""},
		{"key in another case", `[{"Participants":"x","participants":1}]`, 1, 1, 0, ""},
		{"sums beyond a float64", `[{"participants":1e308},{"participants":1e308}]`, math.MaxFloat64, math.MaxFloat64, 0, ""},

		{"beyond a float64",
			`[{"participants":1e400},{"participants":-1e400},{"participants":1e99999999999999999999},{"participants":2}]`,
			2, 4, 3,
			"room 1: participants is not a number 1e400"},
		{"text", `[{"participants":1},{"participants":"many"}]`, 1, 1, 1, `room 2: participants is not a number "many"`},
		{"text that only Go takes for a number",
			`[{"participants":"NaN"},{"participants":"Infinity"},{"participants":"0x10"},{"participants":"1_0"},` +
				`{"participants":"+1"},{"participants":"01"},{"participants":"1 2"}]`, 0, 0, 7,
			`room 1: participants is not a number "NaN"`},
		{"empty text", `[{"participants":""},{"participants":2}]`, 2, 4, 1, `room 1: participants is not a number ""`},
		{"missing", `[{"participants":1},{"participants":1},{"room_name":"c"}]`, 2, 2, 1, "room 3: participants is missing"},
		{"null", `[{"participants":null},{"participants":5}]`, 5, 25, 1, "room 1: participants is not a number null"},
		{"array, bool, object", `[{"participants":[1]},{"participants":true},{"participants":{"participants":1}}]`, 0, 0, 3,
			"room 1: participants is not a number [1]"},
		{"duplicate keys: the last is no number", `[{"participants":2,"participants":"x"}]`, 0, 0, 1,
			`room 1: participants is not a number "x"`},
		{"rows that are no objects", `["a",null,17,true,[],[{"participants":1}],{"participants":3}]`, 3, 9, 6,
			`room 1: not an object "a"`},
		{"a long value", `[{"participants":"` + strings.Repeat("ü", 1000) + `"}]`, 0, 0, 1,
			`room 1: participants is not a number "` + strings.Repeat("ü", 39)},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := parseCensus([]byte(`{"room_census": ` + tt.rows + ` } `))
			if err != nil || string(got.rows) != tt.rows || got.participants != tt.participants || got.squared != tt.squared {
				t.Errorf("error %v, rows %s, %v participants, %v squared; want %s, %v, %v",
					err, got.rows, got.participants, got.squared, tt.rows, tt.participants, tt.squared)
			}
			if got.odd != tt.odd || got.firstOdd != tt.first {
				t.Errorf("%d odd rows, the first %q; want %d, %q", got.odd, got.firstOdd, tt.odd, tt.first)
			}
		})
	}
}

func TestLeakedRooms(t *testing.T) {
	for rows, want := range map[string]int{
		`[]`: 0,
		`[{"participants":1},{"participants":1,"leaked":true},{"leaked":false},{"leaked":true}]`: 2,
		`[{"leaked":"true"},{"leaked":1},{"leaked":null},{"x":{"leaked":true}}]`:                 0,
		`[{"leaked":true,"leaked":false},{"leaked":false,"leaked":true}]`:                        1,
	} {
		if got, err := parseCensus([]byte(`{"room_census":` + rows + `}`)); err != nil || got.leaked != want {
			t.Errorf("%s: %d leaked, %v; want %d", rows, got.leaked, err, want)
		}
	}
}

// nested returns a census with n nested arrays beside it.
func nested(n int) string {
	return `{"a":` + strings.Repeat(`[`, n) + strings.Repeat(`]`, n) + `,"room_census":[{"participants":2}]}`
}

// TestParseCensusDocument covers the data around the rows: censuses without rooms, and bodies that are no census.
func TestParseCensusDocument(t *testing.T) {
	const none = `[]`
	tests := []struct{ name, body, rows, problem string }{ // problem is the beginning of the expected one
		{"no rooms in newer versions", `{"room_census":[]}`, none, ""},
		{"no rooms in older versions", `{"room_census":{}}`, none, ""},
		{"the same with spaces", `{"room_census": { } }`, none, ""},
		{"missing", `{}`, none, ""},
		{"missing beside another key", `{"rooms":[1]}`, none, ""},
		{"null", `{"room_census":null}`, none, ""},
		{"duplicate keys: the last counts", `{"room_census":1,"room_census":[{"participants":2}]}`, `[{"participants":2}]`,
			""},
		{"duplicate keys: the last has no rooms", `{"room_census":[{"participants":2}],"room_census":null}`, none, ""},
		{"escaped key", `{"room_c\u0065nsus":[{}]}`, `[{}]`, ""},
		{"key in another case", `{"Room_Census":1}`, none, ""},
		{"nested as deeply as the decoder reads", nested(9999), `[{"participants":2}]`, ""},

		{"nested more deeply", nested(10_000), "", "not a JSON object: invalid JSON"},
		{"only opening brackets", strings.Repeat("[", censusLimit), "", `not a JSON object: it begins with "[[`},
		{"rows of only opening brackets", `{"room_census":` + strings.Repeat("[", censusLimit-20), "",
			"not a JSON object: invalid JSON"},
		{"an object with something in it", `{"room_census":{"a":1}}`, "", `room_census is not an array: {"a":1}`},
		{"duplicate keys: the last is no array", `{"room_census":[],"room_census":"none"}`, "",
			`room_census is not an array: "none"`},
		{"text", `{"room_census":"none"}`, "", `room_census is not an array: "none"`},
		{"number", `{"room_census":0}`, "", `room_census is not an array: 0`},
		{"false", `{"room_census":false}`, "", `room_census is not an array: false`},
		{"a long text", `{"room_census":"` + strings.Repeat("x", 1000) + `"}`, "", `room_census is not an array: "xxx`},
		{"null for all", `null`, "", "not a JSON object"},
		{"an array for all", `[]`, "", "not a JSON object"},
		{"text for all", `"a"`, "", "not a JSON object"},
		{"empty", ``, "", "not a JSON object: it is empty"},
		{"only spaces", " \n", "", "not a JSON object: it is empty"},
		{"half", `{"room_census":[{"partic`, "", "not a JSON object: it is cut off after 24 bytes"},
		{"half between rows", `{"room_census":[{"participants":1},`, "", "not a JSON object: "},
		{"a bracket too many", `{"room_census":[]}]`, "", "not a JSON object: "},
		{"two objects", `{"room_census":[]} {}`, "", "not a JSON object: invalid JSON"},
		{"text behind it", `{"room_census":[]} OK`, "", "not a JSON object: "},
		{"a zero byte behind it", "{\"room_census\":[]}\x00", "", "not a JSON object: "},
		{"byte order mark", "\uFEFF{\"room_census\":[]}", "", "not a JSON object: "},
		{"a raw line end in a name", "{\"room_census\":[{\"room_name\":\"\n\"}]}", "", "not a JSON object: "},
		{"NaN", `{"room_census":[{"participants":NaN}]}`, "", "not a JSON object: "},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			got, err := parseCensus([]byte(tt.body))
			if string(got.rows) != tt.rows || (err == nil) != (tt.problem == "") {
				t.Errorf("error %v, rows %s; want %s", err, got.rows, tt.rows)
			}
			if text := problem(err); !strings.HasPrefix(text, tt.problem) || len(text) > 500 {
				t.Errorf("problem %q, want %q", text, tt.problem)
			}
		})
	}
}

// FuzzParseCensus compares the result with that of encoding/json.
func FuzzParseCensus(f *testing.F) {
	for _, seed := range []string{
		`{"room_census":[]}`, `{"room_census":{}}`, `{"room_census":null}`, `{}`, `null`, `[]`, ``, `{"room_census":{ }}`,
		`{"room_census":{"a":1}}`,
		`{"room_census":[{"room_name":"a","participants":3,"created_time":1},{"participants":"4","created_time":"2","leaked":true}]}`,
		`{"room_census":[{"participants":1.0},{"participants":-1},{"participants":1e400},{"participants":"NaN"}]}`,
		`{"room_census":[null,1,[]]}`,
		`{"room_census":[{"participants":"\u0031"}]}`, "{\"room_census\":[{\"\xff\":\"\xff\",\"participants\":1}]}",
		`{"room_c\u0065nsus":[{"p\u0061rticipants":1,"x":-0.5e+10,"y":[true,false,null,{"\"":[]}]}]}`,
		`{"room_census":[{"participants":01}]}`,
		`{"room_census":[{"participants":1},]}`, `{"room_census":[{"participants":1,}]}`, `{"room_census":[,]}`,
		`{"room_census":[{"participants":"1e308"}]}`,
		`{"room_census": [ { "participants" : 1 } , { "participants" : "x", "leaked":true } ] } `,
		`{"room_census":[],"room_census":[{}]} x`,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		got, err := parseCensus(bytes.Clone(body))
		want, ok := referenceCensus(body)
		if (err == nil) != ok {
			t.Fatalf("error %v, but by the reference it is a census: %t", err, ok)
		}
		if err != nil {
			if !utf8.ValidString(problem(err)) || len(problem(err)) > 500 {
				t.Errorf("problem %q", problem(err))
			}
			return
		}
		if !utf8.ValidString(got.firstOdd) || len(got.firstOdd) > 500 || (got.firstOdd == "") != (got.odd == 0) {
			t.Errorf("%d odd rows, the first %q", got.odd, got.firstOdd)
		}
		rows := got.rows
		got.rows, got.firstOdd = nil, ""
		if !reflect.DeepEqual(got, want) {
			t.Errorf("found %+v, want %+v", got, want)
		}
		var all []json.RawMessage
		if err := json.Unmarshal(rows, &all); err != nil || all == nil {
			t.Errorf("the rows are no array: %s", rows)
		}
		if len(all) > 0 && !bytes.Contains(body, rows) {
			t.Errorf("the rows %s are not those of the body", rows)
		}
	})
}

var jsonNumber = regexp.MustCompile(`^[ \t\r\n]*-?(0|[1-9]\d*)(\.\d+)?([eE][+-]?\d+)?[ \t\r\n]*$`)

func referenceCensus(body []byte) (found rooms, ok bool) {
	var all map[string]json.RawMessage
	if json.Unmarshal(body, &all) != nil || all == nil {
		return rooms{}, false
	}
	var none map[string]any
	if all["room_census"] == nil || json.Unmarshal(all["room_census"], &none) == nil && len(none) == 0 {
		return rooms{}, true
	}
	var rows []json.RawMessage
	if json.Unmarshal(all["room_census"], &rows) != nil {
		return rooms{}, false
	}
	for _, row := range rows {
		var fields map[string]json.RawMessage
		_ = json.Unmarshal(row, &fields)
		number := string(fields["participants"])
		if text := ""; number != "null" && json.Unmarshal(fields["participants"], &text) == nil {
			number = text
		}
		n, err := strconv.ParseFloat(strings.TrimSpace(number), 64)
		if !jsonNumber.MatchString(number) || err != nil {
			found.odd++
			n = 0
		}
		if string(fields["leaked"]) == "true" {
			found.leaked++
		}
		n = math.Max(0, n)
		found.participants = math.Min(found.participants+n, math.MaxFloat64)
		found.squared = math.Min(found.squared+n*n, math.MaxFloat64)
	}
	return found, true
}

// manyRooms returns the body of a census of n rooms, as prosody sends it.
func manyRooms(n int) []byte {
	var b bytes.Buffer
	b.WriteString(`{"room_census":[`)
	for i := range n {
		if i > 0 {
			b.WriteByte(',')
		}
		fmt.Fprintf(&b,
			`{"room_name":"room%d@conference.meet.example.com","participants":%d,"created_time":"%d","leaked":false}`, i, i%80,
			1700000000000+i)
	}
	b.WriteString(`]}`)
	return b.Bytes()
}
