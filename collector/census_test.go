package collector

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"regexp"
	"strconv"
	"strings"
	"testing"
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
			node.SetRooms([]signalnode.Room{
				{Name: "a@conference.example.com", Participants: 3, CreatedTime: 1700000000000},
				{Name: "b@conference.example.com", Participants: 4, CreatedTime: "1700000000001", Leaked: true},
			})
			r.run(NewCensus(node.Prosody.Origin(), tt.host, r.options))
			got := r.next().Census
			const rooms = `[{"room_name":"a@conference.example.com","participants":3,"created_time":1700000000000},` +
				`{"room_name":"b@conference.example.com","participants":4,"created_time":"1700000000001","leaked":true}]`
			if !got.OK() || got.Participants != 7 || got.SumSquared != 25 || string(got.Rooms) != rooms {
				t.Errorf("saw %+v with rooms %s", *got, got.Rooms)
			}
			want := tt.host
			if want == "" {
				want = strings.TrimPrefix(node.Prosody.Origin(), "http://")
			}
			if n, requests := node.Prosody.Requests("/room-census"); n != 1 || requests[0].Host != want || requests[0].Method != "GET" {
				t.Errorf("%d requests, the latest %+v; want one GET with Host %s", n, requests, want)
			}
		})
	}
}

// TestCensusHostOverRedirect keeps the virtual host when prosody redirects to another of its paths.
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
		{"notjson", func(c *health.Census) bool { return c.Answer.OK() && strings.HasPrefix(c.Problem, "not a JSON object") }},
		{"crash", func(c *health.Census) bool { return c.Answer.Failure == health.FailureRefused }},
		{`body {"room_census":[{"participants":5},{"participants":null}]}`, func(c *health.Census) bool {
			return c.Answer.OK() && strings.HasPrefix(c.Problem, "room 2: ")
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

// TestCensusBound reads 32 MiB, and not a byte more.
func TestCensusBound(t *testing.T) {
	body := bytes.Repeat([]byte("x"), 32<<20) // parsed, it is dismissed at once: it is the reading that counts here
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

func TestParseCensus(t *testing.T) {
	nested := func(n int) string { return `{"a":` + strings.Repeat(`[`, n) + strings.Repeat(`]`, n) + `}` }
	const large = `{"room_name":"a","participants":1000000000}`
	tests := []struct {
		name, body   string
		rooms        string // "" for a failure
		participants float64
		squared      float64
		problem      string // its beginning
	}{
		{"no rooms", `{"room_census":[]}`, `[]`, 0, 0, ""},
		{"no rooms, as older versions say it", `{"room_census":{}}`, `[]`, 0, 0, ""},
		{"the same, spaced", `{"room_census": { } }`, `[]`, 0, 0, ""},
		{"missing", `{}`, `[]`, 0, 0, ""},
		{"missing beside another key", `{"rooms":[1]}`, `[]`, 0, 0, ""},
		{"null", `{"room_census":null}`, `[]`, 0, 0, ""},
		{"one room", `{"room_census":[{"room_name":"a","participants":3}]}`, `[{"room_name":"a","participants":3}]`, 3, 9, ""},
		{"sums", `{"room_census":[{"participants":1},{"participants":2},{"participants":30}]}`,
			`[{"participants":1},{"participants":2},{"participants":30}]`, 33, 905, ""},
		{"string", `{"room_census":[{"participants":"12"}]}`, `[{"participants":"12"}]`, 12, 144, ""},
		{"created_time of both types", `{"room_census":[{"created_time":1,"participants":1},{"created_time":"2","participants":1}]}`,
			`[{"created_time":1,"participants":1},{"created_time":"2","participants":1}]`, 2, 2, ""},
		{"unknown fields and spaces are kept", "{\"room_census\": [ {\"participants\":1, \"x\":[1e2,{\"y\":\"\\u00fc\"}],\n\"leaked\":true} ] }",
			"[ {\"participants\":1, \"x\":[1e2,{\"y\":\"\\u00fc\"}],\n\"leaked\":true} ]", 1, 1, ""},
		{"zero", `{"room_census":[{"participants":0}]}`, `[{"participants":0}]`, 0, 0, ""},
		{"as large as can be", `{"room_census":[` + large + `]}`, `[` + large + `]`, 1e9, 1e18, ""},
		{"duplicate keys", `{"room_census":1,"room_census":[{"participants":"x","participants":2}]}`, `[{"participants":"x","participants":2}]`, 2, 4, ""},
		{"escaped keys", `{"room_c\u0065nsus":[{"p\u0061rticipants":1,"x":"\"\\"}]}`, `[{"p\u0061rticipants":1,"x":"\"\\"}]`, 1, 1, ""},
		{"other case", `{"Room_Census":1,"room_census":[{"Participants":"x","participants":1}]}`, `[{"Participants":"x","participants":1}]`, 1, 1, ""},
		{"nested as deeply as encoding/json reads", nested(9999), `[]`, 0, 0, ""},

		{"nested more deeply", nested(10_000), "", 0, 0, "not a JSON object: it is nested too deeply"},
		{"larger", `{"room_census":[{"participants":1000000001}]}`, "", 0, 0, "room 1: participants is not a whole number from 0 to 1000000000: 1000000001"},
		{"much larger", `{"room_census":[{"participants":99999999999999999999999}]}`, "", 0, 0, "room 1: participants is not a whole number"},
		{"negative", `{"room_census":[{"participants":-1}]}`, "", 0, 0, "room 1: participants is not a whole number from 0 to 1000000000: -1"},
		{"fraction", `{"room_census":[{"participants":1.5}]}`, "", 0, 0, "room 1: participants is not a whole number"},
		{"string of no number", `{"room_census":[{"participants":1},{"participants":"many"}]}`, "", 0, 0, `room 2: participants is not a whole number from 0 to 1000000000: "many"`},
		{"empty string", `{"room_census":[{"participants":""}]}`, "", 0, 0, "room 1: participants is not a whole number"},
		{"participants missing", `{"room_census":[{"participants":1},{"participants":1},{"room_name":"c"}]}`, "", 0, 0, "room 3: participants is missing"},
		{"participants null", `{"room_census":[{"participants":null}]}`, "", 0, 0, "room 1: participants is not a whole number from 0 to 1000000000: null"},
		{"participants an array", `{"room_census":[{"participants":[1]}]}`, "", 0, 0, "room 1: participants is not a whole number"},
		{"participants a bool", `{"room_census":[{"participants":true}]}`, "", 0, 0, "room 1: participants is not a whole number"},
		{"room a string", `{"room_census":["a"]}`, "", 0, 0, "room 1: not a JSON object"},
		{"room null", `{"room_census":[null]}`, "", 0, 0, "room 1: participants is missing"},
		{"room an array", `{"room_census":[{"participants":1},[]]}`, "", 0, 0, "room 2: not a JSON object"},
		{"object with something in it", `{"room_census":{"a":1}}`, "", 0, 0, `room_census is not an array: {"a":1}`},
		{"string for rooms", `{"room_census":"none"}`, "", 0, 0, `room_census is not an array: "none"`},
		{"number for rooms", `{"room_census":0}`, "", 0, 0, `room_census is not an array: 0`},
		{"false for rooms", `{"room_census":false}`, "", 0, 0, `room_census is not an array: false`},
		{"top-level array", `[]`, "", 0, 0, "not a JSON object"},
		{"empty", ``, "", 0, 0, "not a JSON object"},
		{"half", `{"room_census":[{"partic`, "", 0, 0, "not a JSON object"},
		{"trailing garbage", `{"room_census":[]}]`, "", 0, 0, "not a JSON object"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := parseCensus(bodyOf([]byte(tt.body)))
			if tt.problem != "" {
				if err == nil || !strings.HasPrefix(err.Error(), tt.problem) {
					t.Errorf("error %v, want %s", err, tt.problem)
				}
				return
			}
			if err != nil || string(got.rows) != tt.rooms || got.participants != tt.participants || got.squared != tt.squared {
				t.Errorf("error %v, rooms %s, %v participants, %v squared; want %s, %v, %v",
					err, got.rows, got.participants, got.squared, tt.rooms, tt.participants, tt.squared)
			}
		})
	}
}

// bodyOf is a body that comes in these pieces.
func bodyOf(pieces ...[]byte) *body {
	readers := make([]io.Reader, len(pieces))
	for i, p := range pieces {
		readers[i] = bytes.NewReader(p)
	}
	return newBody(&http.Response{ContentLength: -1, Body: io.NopCloser(io.MultiReader(readers...))}, censusLimit, 0)
}

// FuzzParseCensus compares with encoding/json's reading of the whole body. It comes at once, and in three pieces.
func FuzzParseCensus(f *testing.F) {
	for _, seed := range []string{
		`{"room_census":[]}`, `{"room_census":{}}`, `{"room_census":null}`, `{}`, `null`, `[]`, ``, `{"room_census":{ }}`, `{"room_census":{"a":1}}`,
		`{"room_census":[{"room_name":"a","participants":3,"created_time":1},{"participants":"4","created_time":"2","leaked":true}]}`,
		`{"room_census":[{"participants":1.0}]}`, `{"room_census":[null]}`, `{"room_census":[{"participants":"\u0031"}]}`, "{\"room_census\":[{\"\xff\":\"\xff\",\"participants\":1}]}",
		`{"room_c\u0065nsus":[{"p\u0061rticipants":1,"x":-0.5e+10,"y":[true,false,null,{"\"":[]}]}]}`, `{"room_census":[{"participants":01}]}`,
		`{"room_census":[{"participants":1},]}`, `{"room_census":[{"participants":1,}]}`, `{"room_census":[,]}`, "{\"room_census\":[{\"participants\":1,\"x\":\"\x00\"}]}", `{"a":"\u12g4"}`, `{"a":-}`, `{"a":1.}`, `{"a":1e}`, `{"a":tru}`, `{"a":"\x"}`, `{"a" 1}`,
		`{"room_census": [ { "participants" : 1 } , { "participants" : 2 } ] } `, `{"room_census":[{"participants":1000000001}]}`,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		got, err := parseCensus(bodyOf(body))
		third := len(body) / 3
		inPieces, again := parseCensus(bodyOf(body[:third], body[third:2*third], body[2*third:]))
		if fmt.Sprint(again) != fmt.Sprint(err) || !bytes.Equal(inPieces.rows, got.rows) || inPieces.squared != got.squared {
			t.Fatalf("in pieces: error %v, rooms %s; at once: error %v, rooms %s", again, inPieces.rows, err, got.rows)
		}
		participants, squared, ok := referenceCensus(body)
		if (err == nil) != ok {
			t.Fatalf("error %v, while the reference says %t", err, ok)
		}
		if err != nil {
			if !utf8.ValidString(problem(err)) || len(err.Error()) > 500 {
				t.Errorf("problem %q", problem(err))
			}
			return
		}
		if got.participants != participants || got.squared != squared {
			t.Errorf("sums %v and %v, want %v and %v", got.participants, got.squared, participants, squared)
		}
		var rooms []json.RawMessage
		if err := json.Unmarshal(got.rows, &rooms); err != nil || rooms == nil {
			t.Errorf("rooms are no array: %s", got.rows)
		}
		if len(rooms) > 0 && !bytes.Contains(body, got.rows) {
			t.Errorf("rooms %s are not those that came", got.rows)
		}
	})
}

var wholeNumber = regexp.MustCompile(`^(\d+|"\d+")$`)

func referenceCensus(body []byte) (participants, squared float64, ok bool) {
	var all map[string]json.RawMessage
	if json.Unmarshal(body, &all) != nil {
		return 0, 0, false
	}
	var none map[string]any
	if all["room_census"] == nil || json.Unmarshal(all["room_census"], &none) == nil && len(none) == 0 {
		return 0, 0, true
	}
	var rooms []map[string]json.RawMessage
	if json.Unmarshal(all["room_census"], &rooms) != nil {
		return 0, 0, false
	}
	for _, room := range rooms {
		n, err := strconv.ParseFloat(strings.Trim(string(room["participants"]), `"`), 64)
		if !wholeNumber.Match(room["participants"]) || err != nil || n > 1e9 {
			return 0, 0, false
		}
		participants, squared = participants+n, squared+n*n
	}
	return participants, squared, true
}

// manyRooms is the body of a census as prosody sends it.
func manyRooms(n int) []byte {
	var b bytes.Buffer
	b.WriteString(`{"room_census":[`)
	for i := range n {
		if i > 0 {
			b.WriteByte(',')
		}
		fmt.Fprintf(&b, `{"room_name":"room%d@conference.meet.example.com","participants":%d,"created_time":"%d","leaked":false}`, i, i%80, 1700000000000+i)
	}
	b.WriteString(`]}`)
	return b.Bytes()
}
