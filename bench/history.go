package main

import (
	"encoding/json"
	"fmt"
	"time"
)

// past is the part of /signal/history that the bench reads.
type past struct {
	Observations []json.RawMessage `json:"observations"`
}

func measureHistory(b *bench) (section, error) {
	s := section{title: "Growth: history",
		how: "POLLING_INTERVAL=0.01 fills the history, which keeps 720 observations; each row when it has grown so far. " +
			"Memory is the whole process's, with the garbage of its polls and of one answer. A request renders the whole.",
		growth: [][]string{{"observations", "/signal/history", "time of one request", "anonymous"}}}
	car, err := b.start(env{"POLLING_INTERVAL": "0.01"})
	if err != nil {
		return s, err
	}
	defer car.stop() //nolint:errcheck // it stops after the measurement
	wanted := []int{1, 180, 360, 540, 720}
	for end := time.Now().Add(bound); len(wanted) > 0; nap(10 * time.Millisecond) {
		began := time.Now()
		got, err := fetch(car.http, "/signal/history")
		took := time.Since(began)
		if err != nil {
			return s, err
		}
		var h past
		if err := json.Unmarshal(got.Body, &h); err != nil {
			return s, err
		}
		if time.Now().After(end) {
			s.notes = append(s.notes, fmt.Sprintf("It did not grow beyond %d within %v.", len(h.Observations), bound))
			break
		}
		if len(h.Observations) < wanted[0] {
			continue
		}
		wanted = wanted[1:]
		m, err := readMemory(car.pid())
		if err != nil {
			return s, err
		}
		s.growth = append(s.growth, []string{fmt.Sprint(len(h.Observations)), amount(float64(len(got.Body))/1024, 0, "KiB"),
			amount(milliseconds(took), 2, "ms"), amount(float64(m.anonymous)/mebi, 1, "MiB")})
	}
	return s, nil
}
