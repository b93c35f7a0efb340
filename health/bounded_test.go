package health_test

import (
	"encoding/json"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/signal-sidecar/signal-sidecar/health"
)

// TestBounded checks that Bounded removes large data from an observation and keeps everything that a verdict depends
// on.
func TestBounded(t *testing.T) {
	long := strings.Repeat("é", 1<<20)
	for _, o := range []health.Observation{
		{Jicofo: &health.Jicofo{Health: health.Answer{Code: 503, Detail: long},
			Contents: long, StatsProblem: long, Stats: health.Answer{Detail: long}}},
		{Prosody: &health.Prosody{Health: health.Answer{Failure: health.FailureTimeout, Detail: long}}},
		{StatusFile: &health.StatusFile{Problem: long}},
		{Census: &health.Census{Answer: health.Answer{Code: 200, Detail: long}, Problem: long,
			Rooms: []byte(`[{}]`), Participants: 7}},
	} {
		text, err := json.Marshal(o.Bounded())
		if err != nil || len(text) > 4<<10 || strings.Contains(string(text), "rooms") {
			t.Errorf("%d bytes are kept: %.200s (%v)", len(text), text, err)
		}
	}
}

// TestBoundedKeepsEveryField checks that Bounded keeps an observation without large fields, except for the rooms of the
// census. fill sets every field of every part, so that the test covers new fields too.
func TestBoundedKeepsEveryField(t *testing.T) {
	var o health.Observation
	fill(t, reflect.ValueOf(&o).Elem())
	want := o
	census := *o.Census
	census.Rooms = nil
	want.Census = &census
	if got := o.Bounded(); !reflect.DeepEqual(got, want) {
		t.Errorf("kept %+v\nof   %+v", asJSON(t, got), asJSON(t, want))
	}
}

// fill sets a value and everything in it to values that are not zero.
func fill(t *testing.T, v reflect.Value) {
	t.Helper()
	switch v.Kind() {
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		fill(t, v.Elem())
	case reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), 2, 2))
		for i := range v.Len() {
			fill(t, v.Index(i))
		}
	case reflect.Struct:
		if v.Type() == reflect.TypeFor[time.Time]() {
			v.Set(reflect.ValueOf(epoch))
			return
		}
		for i := range v.NumField() {
			fill(t, v.Field(i))
		}
	case reflect.String:
		v.SetString("text")
	case reflect.Bool:
		v.SetBool(true)
	case reflect.Int:
		v.SetInt(7)
	case reflect.Uint8:
		v.SetUint('7')
	case reflect.Float64:
		v.SetFloat(7)
	default:
		t.Fatalf("no value for a %s", v.Type())
	}
}

func asJSON(t *testing.T, v any) string {
	t.Helper()
	text, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}
