package main

import (
	"debug/elf"
	"errors"
	"fmt"
	"os"
	"time"
)

func measureStart(b *bench) (section, error) {
	s := section{title: "Start",
		how: "From fork and exec of the binary (its pages are in the kernel's cache) to the first reply `up ready 100%`. " +
			"The client connects every 0.2 ms. A check that comes before the first verdict waits for it."}
	var took []time.Duration
	for range pick(b, 25, 5) {
		began := time.Now()
		car, err := b.launch(nil)
		if err != nil {
			return s, err
		}
		up, err := car.await(200*time.Microsecond, isUp)
		if err := errors.Join(err, car.stop()); err != nil {
			return s, err
		}
		took = append(took, up.Sub(began))
	}
	s.rows = []row{
		atMost(fmt.Sprintf("start → first `up` reply, p50 of %d", len(took)), 25, milliseconds(percentile(took, .5)), 1,
			"ms"),
		unchecked("start → first `up` reply, p99", amount(milliseconds(percentile(took, .99)), 1, "ms")),
	}
	return s, nil
}

func measureBinary(b *bench) (section, error) {
	s := section{title: "Binary", how: "The file that `make build` creates."}
	info, err := os.Stat(b.binary)
	if err != nil {
		return s, err
	}
	f, err := elf.Open(b.binary)
	if err != nil {
		return s, err
	}
	defer f.Close() //nolint:errcheck // only read
	name := "binary: size, stripped"
	if f.Section(".symtab") != nil || f.Section(".debug_info") != nil {
		name = "binary: size (not stripped: the goal is for one that is)"
	}
	s.rows = []row{atMost(name, 34, float64(info.Size())/(1<<20), 1, "MiB")}
	return s, nil
}
