// Command bench measures a signal-sidecar from outside, on loopback, beside a simulated signal node, and writes
// docs/performance.md:
//
//	make build && go run ./bench [-quick] [-only start,agent] [-binary ./signal-sidecar] [-out docs/performance.md]
//
// All sections take less than ten minutes, with -quick less than two. No test depends on the figures.
package main

import (
	"bytes"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// part is a section that can be selected by its name.
type part struct {
	name string
	run  func(*bench) (section, error)
}

// parts returns all sections, in the order of the page.
func parts() []part {
	return []part{
		{"start", measureStart}, {"statusfile", measureStatusFile}, {"services", measureServices},
		{"haproxy", measureHAProxy}, {"agent", measureAgent}, {"held", measureHeld}, {"rest", measureREST},
		{"metrics", measureMetrics}, {"idle", measureIdle}, {"census", measureCensus}, {"binary", measureBinary},
		{"clients", measureClients}, {"connections", measureConnections}, {"series", measureSeries},
		{"history", measureHistory},
	}
}

// bench is one run of the program.
type bench struct {
	binary string
	floor  string // source of the C floor
	quick  bool
	folder string // for files of this run
	log    io.Writer
}

// pick returns full, or quick in quick mode.
func pick[T any](b *bench, full, quick T) T {
	if b.quick {
		return quick
	}
	return full
}

func main() {
	if len(os.Args) == 2 && os.Args[1] == bareArgument {
		if err := serveBare(os.Stdin, os.Stdout); err != nil {
			fmt.Fprintln(os.Stderr, "bench:", err)
			os.Exit(1)
		}
		return
	}
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

func run(args []string) error {
	flags := flag.NewFlagSet("bench", flag.ExitOnError)
	binary := flags.String("binary", "./signal-sidecar", "the program to measure")
	floor := flags.String("floor", "bench/floor.c", "source of the C floor")
	out := flags.String("out", "docs/performance.md", "the page to write; - for standard output")
	only := flags.String("only", "",
		"sections, comma separated; all without it, and then only is the page written to -out")
	quick := flags.Bool("quick", false, "fewer and shorter rounds")
	_ = flags.Parse(args) // exits on an error
	if _, err := cpuTime(os.Getpid()); err != nil {
		return fmt.Errorf("the benchmark needs Linux: %w", err)
	}
	path, err := filepath.Abs(*binary)
	if err != nil {
		return err
	}
	chosen, err := choose(*only)
	if err != nil {
		return err
	}
	folder, err := os.MkdirTemp("", "signal-sidecar-bench-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(folder) //nolint:errcheck // a temporary folder
	b := &bench{binary: path, floor: *floor, quick: *quick, folder: folder, log: os.Stderr}
	here := newMachine(path, command(args))
	sections, err := b.measure(chosen)
	var page bytes.Buffer
	writePage(&page, here, sections)
	if *out == "-" || *only != "" {
		_, writeErr := os.Stdout.Write(page.Bytes())
		return errors.Join(err, writeErr)
	}
	return errors.Join(err, os.WriteFile(*out, page.Bytes(), 0o644))
}

// command returns the command that makes the page again.
func command(args []string) string {
	return strings.Join(append([]string{"make build && go run ./bench"}, args...), " ")
}

// choose returns the parts with these names, or all parts if there are no names.
func choose(names string) ([]part, error) {
	all := parts()
	if names == "" {
		return all, nil
	}
	var chosen []part
	for name := range strings.SplitSeq(names, ",") {
		i := slices.IndexFunc(all, func(p part) bool { return p.name == name })
		if i < 0 {
			return nil, fmt.Errorf("there is no section %q", name)
		}
		chosen = append(chosen, all[i])
	}
	return chosen, nil
}

// measure runs the parts. A part that fails is both on the page and in the error.
func (b *bench) measure(chosen []part) ([]section, error) {
	var sections []section
	var failures error
	for _, p := range chosen {
		began := time.Now()
		fmt.Fprintf(b.log, "%s …", p.name)
		s, err := p.run(b)
		if err != nil {
			failures = errors.Join(failures, fmt.Errorf("%s: %w", p.name, err))
			s.notes = append(s.notes, fmt.Sprintf("Not measured to the end: %v.", err))
		}
		fmt.Fprintf(b.log, " %.1f s\n", time.Since(began).Seconds())
		sections = append(sections, s)
	}
	return sections, failures
}
