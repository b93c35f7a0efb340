package main

import (
	"fmt"
	"time"
)

func measureStatusFile(b *bench) (section, error) {
	s := section{title: "Status file",
		how: "A new status file is renamed into place at a random moment. A client checks the agent every 0.2 ms until the reply has changed. " +
			"POLLING_INTERVAL=5, so no poll finds the change first."}
	car, err := b.start(nil)
	if err != nil {
		return s, err
	}
	defer car.stop() //nolint:errcheck // it stops after the measurement
	var took []time.Duration
	for i := range pick(b, 400, 200) {
		word := [...]string{"drain", "ready"}[i%2]
		if err := car.write(word); err != nil {
			return s, err
		}
		nap(10 * time.Millisecond)
		upTo(20 * time.Millisecond)
		began := time.Now()
		if err := car.rename(); err != nil {
			return s, err
		}
		changed, err := car.await(200*time.Microsecond, has(word))
		if err != nil {
			return s, err
		}
		took = append(took, changed.Sub(began))
	}
	s.rows = []row{
		atMost(fmt.Sprintf("status file renamed → changed reply, p50 of %d", len(took)), .6,
			milliseconds(percentile(took, .5)), 2, "ms"),
		atMost("status file renamed → changed reply, p99", 3, milliseconds(percentile(took, .99)), 2, "ms"),
	}
	return s, nil
}
