package collector

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"strconv"

	"github.com/signal-sidecar/signal-sidecar/health"
)

const (
	censusLimit     = 32 << 20 // bytes
	maxRoomCount    = 1e9      // participants of one room; beyond it the number is nonsense
	emptyCensusRows = `[]`
)

// NewCensus polls prosody's room census, /room-census, of the virtual host named host ("" asks for the origin's own).
func NewCensus(origin, host string, o Options) (Collector, error) {
	in, err := newInstruments(o)
	if err != nil {
		return nil, err
	}
	probe := newHTTPProbe("census", origin+"/room-census", censusLimit, o, in)
	probe.host = host
	look := func(ctx context.Context) health.Observation {
		seen := new(health.Census)
		answer, _, invalid := probe.ask(ctx, func(body []byte) error { return parseCensus(body, seen) })
		seen.Answer, seen.Problem = answer, problem(invalid)
		return health.Observation{Census: seen}
	}
	return &poller{name: "census", interval: o.Interval, tracer: in.tracer, observe: o.Observe, look: look, probes: []*httpProbe{probe}}, nil
}

// parseCensus reads the answer of mod_muc_census. Older versions write {} for no rooms, or leave them out. The rows are
// kept as they are. A body that cannot be used changes nothing.
func parseCensus(body []byte, into *health.Census) error {
	var keys map[string]json.RawMessage
	if err := json.Unmarshal(body, &keys); err != nil {
		return fmt.Errorf("not a JSON object: %w", err)
	}
	rooms := keys["room_census"]
	if noRooms(rooms) {
		into.Rooms = json.RawMessage(emptyCensusRows)
		return nil
	}
	decoder := json.NewDecoder(bytes.NewReader(rooms))
	if start, err := decoder.Token(); err != nil || start != json.Delim('[') {
		return fmt.Errorf("room_census is not an array: %.40s", rooms)
	}
	var sum, squared float64
	for row := 1; decoder.More(); row++ {
		n, err := roomParticipants(decoder)
		if err != nil {
			return fmt.Errorf("room %d: %w", row, err)
		}
		sum += n
		squared += n * n
	}
	into.Rooms, into.Participants, into.SumSquared = rooms, sum, squared
	return nil
}

// noRooms reports whether the census holds no rooms: the key is missing, null, or an empty object.
func noRooms(rooms json.RawMessage) bool {
	if len(rooms) == 0 || string(rooms) == "null" {
		return true
	}
	return rooms[0] == '{' && len(bytes.TrimSpace(rooms[1:len(rooms)-1])) == 0
}

// roomParticipants decodes the next room and returns its number of participants, which may be a number or a string.
func roomParticipants(decoder *json.Decoder) (float64, error) {
	var room map[string]json.RawMessage
	if err := decoder.Decode(&room); err != nil {
		return 0, fmt.Errorf("not a JSON object: %w", err)
	}
	raw, ok := room["participants"]
	if !ok {
		return 0, fmt.Errorf("participants is missing")
	}
	n, err := strconv.ParseUint(string(bytes.Trim(raw, `"`)), 10, 64)
	if err != nil || n > maxRoomCount {
		return 0, fmt.Errorf("participants is not a whole number from 0 to %.0f: %.40s", maxRoomCount, raw)
	}
	return float64(n), nil
}
