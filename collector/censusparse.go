package collector

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math"
	"strconv"

	"github.com/go-json-experiment/json/jsontext"
)

var (
	errNotObject = errors.New("not a JSON object")
	errTrailing  = errors.New("more data follows it")
)

// room is the content of a row of the census.
type room struct {
	participants float64 // 0 or more
	leaked       bool
	odd          string // why participants cannot be used, "" if it can
	oddValue     []byte // the value of participants in that case, or the row itself; nil if there is none
}

// censusDecoder reads a census in place: no token or value is copied.
type censusDecoder struct {
	*jsontext.Decoder
	body    []byte
	scratch []byte // holds the latest unquoted string
}

// parseCensus parses the reply of mod_muc_census. A room_census that is {}, null or missing has no rooms. Of duplicate
// keys the last one counts. The returned rows are a slice of body. parseCensus returns an error if the body is not a
// JSON object, or if room_census is any other value. A bad row causes an error only if it makes the body invalid JSON.
func parseCensus(body []byte) (rooms, error) {
	d := &censusDecoder{
		// Names and strings are passed on unchanged, so their encoding and duplicates do not matter.
		Decoder: jsontext.NewDecoder(bytes.NewBuffer(body),
			jsontext.AllowDuplicateNames(true), jsontext.AllowInvalidUTF8(true)),
		body: body,
	}
	found, invalid, err := d.document()
	if err != nil {
		return rooms{}, notAnObject(body, err)
	}
	if invalid != nil {
		return rooms{}, invalid
	}
	return found, nil
}

// document reads the whole body. invalid is set if the body is valid JSON but no census, err if it is invalid JSON.
func (d *censusDecoder) document() (found rooms, invalid, err error) {
	found = rooms{rows: []byte(`[]`)}
	if d.PeekKind() == '{' {
		err = d.members(func(name string) (err error) {
			if name != "room_census" {
				return d.SkipValue()
			}
			found, invalid, err = d.rooms()
			return err
		})
	} else {
		invalid, err = errNotObject, d.SkipValue()
	}
	if err != nil {
		return found, nil, err
	}
	switch _, err = d.ReadToken(); {
	case errors.Is(err, io.EOF):
		return found, invalid, nil
	case err == nil:
		err = errTrailing
	}
	return found, nil, err
}

// rooms reads the value of room_census.
func (d *censusDecoder) rooms() (found rooms, invalid, err error) {
	found = rooms{rows: []byte(`[]`)}
	if d.PeekKind() != '[' {
		raw, err := d.ReadValue()
		if raw.Kind() != 'n' && !isEmptyObject(raw) {
			invalid = fmt.Errorf("room_census is not an array: %.40s", []byte(raw))
		}
		return found, invalid, err
	}
	if _, err := d.ReadToken(); err != nil {
		return found, nil, err
	}
	start := d.InputOffset() - 1
	for i := 0; d.PeekKind() != ']'; i++ {
		row, err := d.room()
		if err != nil {
			return found, nil, err
		}
		found.add(i, row)
	}
	_, err = d.ReadToken()
	end := d.InputOffset()
	found.rows = d.body[start:end:end]
	return found, nil, err
}

// room reads a row.
func (d *censusDecoder) room() (row room, err error) {
	if d.PeekKind() != '{' {
		raw, err := d.ReadValue()
		return room{odd: "not an object", oddValue: raw}, err
	}
	row.odd = "participants is missing"
	err = d.members(func(name string) error {
		raw, err := d.ReadValue()
		if err != nil {
			return err
		}
		switch name {
		case "participants":
			row.participants, row.odd, row.oddValue = 0, "participants is not a number", raw
			if n, ok := d.count(raw); ok {
				row.participants, row.odd = n, ""
			}
		case "leaked":
			row.leaked = raw.Kind() == 't'
		}
		return nil
	})
	return row, err
}

// members reads an object. For each name it calls read, which must read the value.
func (d *censusDecoder) members(read func(name string) error) error {
	if _, err := d.ReadToken(); err != nil {
		return err
	}
	for d.PeekKind() != '}' {
		raw, err := d.ReadValue()
		if err != nil {
			return err
		}
		if err := read(d.name(raw)); err != nil {
			return err
		}
	}
	_, err := d.ReadToken()
	return err
}

// name returns the name of a member if this package uses it, else "".
func (d *censusDecoder) name(raw jsontext.Value) string {
	switch string(d.unquote(raw)) {
	case "room_census":
		return "room_census"
	case "participants":
		return "participants"
	case "leaked":
		return "leaked"
	default:
		return ""
	}
}

// count returns the number of participants in a value: a JSON number in any notation, or a string that contains one.
// Negative numbers count as 0; prosody sends them for rooms with neither users nor focus. ok is false for other values,
// and for numbers beyond the range of a float64.
func (d *censusDecoder) count(raw jsontext.Value) (n float64, ok bool) {
	if raw.Kind() == '"' {
		if raw = d.unquote(raw); !raw.IsValid() { // strconv accepts more than JSON does, such as NaN and 0x1p4
			return 0, false
		}
	}
	if raw.Kind() != '0' {
		return 0, false
	}
	n, err := strconv.ParseFloat(string(bytes.TrimSpace(raw)), 64)
	return max(n, 0), err == nil
}

// unquote returns the text of a JSON string. The result is valid until the next call.
func (d *censusDecoder) unquote(raw jsontext.Value) []byte {
	d.scratch, _ = jsontext.AppendUnquote(d.scratch[:0], raw) // the error reports invalid UTF-8, which is replaced
	return d.scratch
}

// isEmptyObject reports whether a JSON value is an object without members.
func isEmptyObject(raw jsontext.Value) bool {
	return raw.Kind() == '{' && len(bytes.TrimSpace(raw[1:len(raw)-1])) == 0
}

// finite replaces infinity, which JSON does not have, by the largest float64.
func finite(sum float64) float64 { return min(sum, math.MaxFloat64) }
