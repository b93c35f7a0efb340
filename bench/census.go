package main

import (
	"encoding/json"
	"fmt"
	"time"

	"github.com/signal-sidecar/signal-sidecar/signalnode"
)

// censusCost is the cost of a census for a number of rooms.
type censusCost struct {
	rooms   int // -1 without the census
	body    int // bytes
	perPoll time.Duration
	peak    int // kB
	memory  memory
}

func measureCensus(b *bench) (section, error) {
	s := section{title: "Census, and growth with the rooms",
		how: "A sidecar for each number of rooms, and one that polls no census, all at once, POLLING_INTERVAL=1. " +
			"CPU per second, that is per poll, of all probes; the growth of the peak is `VmHWM` since the start was over, above that of the sidecar without a census. " +
			"Beside the original's census, rebuilt from its source with its libraries, 10,000 rooms of 642 KiB took 5.2 ms per poll here and 14.7 there, in a second run 5.5 and 16.8: a third, not a quarter. " +
			"Garbage is collected when the runtime decides, so the peak is 6 to 8 bodies, not the 2 of a collection forced after each census."}
	costs := make([]censusCost, 0, 6)
	for _, rooms := range []int{-1, 0, 100, 1000, 10_000, 50_000} {
		costs = append(costs, censusCost{rooms: rooms})
	}
	err := lanes(len(costs), func(lane int) error { return b.census(&costs[lane]) })
	if err != nil {
		return s, err
	}
	s.rows, s.growth = censusRows(costs),
		[][]string{{"rooms", "body", "CPU per poll", "growth of the peak", "in bodies", "anonymous", "RSS"}}
	for _, c := range costs {
		name := fmt.Sprint(c.rooms)
		if c.rooms < 0 {
			name = "no census"
		}
		grown := c.peak - costs[0].peak
		bodies := "–"
		if c.body > 10_000 {
			bodies = amount(float64(grown)*1024/float64(c.body), 1, "×")
		}
		s.growth = append(s.growth,
			[]string{name, amount(float64(c.body)/1024, 0, "KiB"), amount(milliseconds(c.perPoll), 2, "ms"),
				amount(float64(grown)/mebi, 1, "MiB"), bodies, amount(float64(c.memory.anonymous)/mebi, 1, "MiB"),
				amount(float64(c.memory.rss)/mebi, 1, "MiB")})
	}
	return s, nil
}

func censusRows(costs []censusCost) []row {
	none := costs[0]
	for _, c := range costs {
		if c.rooms != 10_000 {
			continue
		}
		return []row{
			unchecked("census of 10,000 rooms: CPU per poll above none (goal: a quarter of the original's; see above)",
				amount(milliseconds(c.perPoll-none.perPoll), 2, "ms")),
			unchecked("census of 10,000 rooms: CPU of all, times that of none",
				amount(float64(c.perPoll)/float64(max(1, none.perPoll)), 2, "×")),
			unchecked("census of 10,000 rooms: growth of peak memory, in bodies",
				amount(float64(c.peak-none.peak)*1024/float64(max(1, c.body)), 2, "×")),
		}
	}
	return nil
}

// census measures the cost for c.rooms rooms.
func (b *bench) census(c *censusCost) (err error) {
	car, err := b.start(env{"POLLING_INTERVAL": "1", "CENSUS_POLL": fmt.Sprint(c.rooms >= 0),
		"CENSUS_HOST": signalnode.Domain})
	if err != nil {
		return err
	}
	defer car.stop() //nolint:errcheck // it stops after the measurement
	if c.rooms >= 0 {
		rooms := manyRooms(c.rooms)
		car.node.SetRooms(rooms)
		body, err := json.Marshal(map[string]any{"room_census": rooms})
		if err != nil {
			return err
		}
		c.body = len(body)
	}
	nap(3 * time.Second) // until the start is over
	if err := forgetPeak(car.pid()); err != nil {
		return err
	}
	used, err := watch(car.pid(), 0, pick(b, 30*time.Second, 6*time.Second))
	if err != nil {
		return err
	}
	c.perPoll, c.memory = time.Duration(float64(used.cpu)/used.took.Seconds()), used.memory
	peak, peakErr := peakMemory(car.pid())
	c.peak = peak
	return peakErr
}

func manyRooms(n int) []signalnode.Room {
	rooms := make([]signalnode.Room, n)
	for i := range rooms {
		rooms[i] = signalnode.Room{Name: fmt.Sprintf("room%d@conference.meet.example.com", i), Participants: i % 50,
			CreatedTime: fmt.Sprint(1_700_000_000_000 + i)}
	}
	return rooms
}
