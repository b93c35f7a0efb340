package collector

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"runtime"
	"strconv"

	"github.com/signal-sidecar/signal-sidecar/health"
)

const (
	censusLimit     = 32 << 20 // bytes
	maxRoomCount    = 1e9      // participants of one room; beyond it the number is nonsense
	emptyCensusRows = `[]`

	// largeCensus, in bytes, is from where on garbage is collected after each census. Else some of them would lie about, for
	// the heap of this process is small beside them. A collection takes 1 to 2 ms of CPU.
	largeCensus = 256 << 10
)

// NewCensus polls prosody's room census, /room-census, of the virtual host named host ("" asks for the origin's own).
func NewCensus(origin, host string, o Options) (Collector, error) {
	in, err := newInstruments(o)
	if err != nil {
		return nil, err
	}
	watch := newHangups()
	probe := newHTTPProbe("census", origin+"/room-census", censusLimit, o, in, watch)
	probe.host = host
	p := newPoller("census", o, in, watch, probe)
	p.look = func(ctx context.Context) health.Observation {
		var found rooms
		answer, _, invalid := probe.ask(ctx, func(b *body) (err error) {
			found, err = parseCensus(b)
			return err
		})
		seen := &health.Census{Answer: answer, Problem: problem(invalid)}
		if seen.OK() {
			seen.Rooms, seen.Participants, seen.SumSquared = found.rows, found.participants, found.squared
		}
		return health.Observation{Census: seen}
	}
	p.observe = func(ctx context.Context, seen health.Observation) {
		o.Observe(ctx, seen)
		if len(seen.Census.Rooms) >= largeCensus {
			runtime.GC() // the census before this one is garbage now
		}
	}
	return p, nil
}

// rooms is what a census says.
type rooms struct {
	rows                  json.RawMessage // as they came
	participants, squared float64         // sums over the rooms
}

// parseCensus reads the answer of mod_muc_census while it comes. Older versions write {} for no rooms, or leave them
// out. Of two keys that are the same the last counts.
func parseCensus(b *body) (rooms, error) {
	s := &censusScan{jsonScan: jsonScan{body: b}, found: rooms{rows: json.RawMessage(emptyCensusRows)}}
	err := s.document()
	if err == nil {
		err = s.end()
	}
	if err != nil {
		return rooms{}, fmt.Errorf("not a JSON object: %w", err)
	}
	if s.invalid != nil {
		return rooms{}, s.invalid
	}
	return s.found, nil
}

// censusScan scans a census. Its methods return what is wrong with the JSON.
type censusScan struct {
	jsonScan
	found   rooms
	invalid error // what is wrong with the rooms, though it is JSON
}

func (s *censusScan) document() error {
	switch s.next() {
	case '{':
	case 'n':
		return s.literal("null")
	default:
		return s.unexpected()
	}
	open := s.open()
	for first := true; ; first = false {
		if more, err := s.element(first, open); err != nil || !more {
			return err
		}
		key, err := s.key()
		if err != nil {
			return err
		}
		if !isKey(key, "room_census") {
			_, err = s.value(1)
		} else {
			err = s.rooms()
		}
		if err != nil {
			return err
		}
	}
}

// rooms reads the value of room_census.
func (s *censusScan) rooms() error {
	s.found, s.invalid = rooms{rows: json.RawMessage(emptyCensusRows)}, nil
	if s.next() != '[' {
		raw, err := s.value(1)
		if !noRooms(raw) {
			s.invalid = fmt.Errorf("room_census is not an array: %.40s", raw)
		}
		return err
	}
	start := s.at
	open := s.open()
	for row := 1; ; row++ {
		more, err := s.element(row == 1, open)
		if err != nil {
			return err
		}
		if !more {
			s.found.rows = s.body.read[start:s.at:s.at]
			return nil
		}
		n, invalid, err := s.room()
		if err != nil {
			return err
		}
		if invalid != nil && s.invalid == nil {
			s.invalid = fmt.Errorf("room %d: %w", row, invalid)
		}
		s.found.participants += n
		s.found.squared += n * n
	}
}

// noRooms reports whether a value that is no array says that there are no rooms: null, or an empty object.
func noRooms(raw []byte) bool {
	return string(raw) == "null" || len(raw) > 1 && raw[0] == '{' && len(bytes.TrimSpace(raw[1:len(raw)-1])) == 0
}

var errNoParticipants = errors.New("participants is missing")

// room reads a row of the census and returns its number of participants.
func (s *censusScan) room() (n float64, invalid, err error) {
	if s.next() != '{' {
		raw, err := s.value(2)
		if string(raw) == "null" {
			return 0, errNoParticipants, err
		}
		return 0, fmt.Errorf("not a JSON object: %.40s", raw), err
	}
	open := s.open()
	invalid = errNoParticipants
	for first := true; ; first = false {
		if more, err := s.element(first, open); err != nil || !more {
			return n, invalid, err
		}
		key, err := s.key()
		if err != nil {
			return 0, nil, err
		}
		ours := isKey(key, "participants")
		raw, err := s.value(3)
		if err != nil {
			return 0, nil, err
		}
		if ours {
			n, invalid = participantsOf(raw)
		}
	}
}

// participantsOf reads a whole number, or a string of one.
func participantsOf(raw []byte) (float64, error) {
	n, err := strconv.ParseUint(string(bytes.Trim(raw, `"`)), 10, 64)
	if err != nil || n > maxRoomCount {
		return 0, fmt.Errorf("participants is not a whole number from 0 to %.0f: %.40s", maxRoomCount, raw)
	}
	return float64(n), nil
}
