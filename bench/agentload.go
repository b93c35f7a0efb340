package main

import (
	"bufio"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

const agentClients = 4

func measureAgent(b *bench) (section, error) {
	s := section{title: "Agent",
		how: fmt.Sprintf("%d clients connect, read to the end and close, one check after the other, against the sidecar and against "+
			"`bench/floor.c` (one thread of C: accept, send, close), in turn. CPU is the server's own. The ratio is the median of those of each round.", agentClients)}
	car, err := b.start(nil)
	if err != nil {
		return s, err
	}
	defer car.stop() //nolint:errcheck // it stops after the measurement
	targets := []target{checks(car.pid(), car.agent)}
	floor, address, err := b.startFloor()
	if err != nil {
		s.notes = append(s.notes, fmt.Sprintf("There is no C floor to compare with: %v.", err))
	} else {
		defer endChild(floor)
		targets = append(targets, checks(floor.Process.Pid, address))
	}
	rounds, err := inTurn(pick(b, 9, 5), agentClients, pick(b, 1500*time.Millisecond, 400*time.Millisecond), targets...)
	if err != nil {
		return s, err
	}
	s.rows = agentRows("sidecar", rounds[0])
	if len(rounds) > 1 {
		s.rows = append(s.rows, agentRows("C floor", rounds[1])...)
		ratio := medianRatio(of(rounds[0], load.cost), of(rounds[1], load.cost))
		s.rows = append(s.rows, atMost("agent: CPU per reply, times the C floor's", 3.2, ratio, 2, "×"))
	}
	return s, nil
}

func agentRows(who string, rounds []load) []row {
	all := latencies(rounds)
	return []row{
		unchecked("agent, "+who+": replies a second", amount(median(of(rounds, load.perSecond)), 0, "")),
		unchecked("agent, "+who+": latency p50, p99",
			fmt.Sprintf("%.0f µs, %.0f µs", microseconds(percentile(all, .5)), microseconds(percentile(all, .99)))),
		unchecked("agent, "+who+": CPU per reply", amount(median(of(rounds, load.cost)), 1, "µs")),
	}
}

// startFloor builds and starts the C floor.
func (b *bench) startFloor() (*exec.Cmd, string, error) {
	compiler, err := exec.LookPath("cc")
	if err != nil {
		return nil, "", err
	}
	program := filepath.Join(b.folder, "floor")
	if out, err := exec.Command(compiler, "-O2", "-o", program, b.floor).CombinedOutput(); err != nil {
		return nil, "", fmt.Errorf("cc: %w: %s", err, out)
	}
	return startChild(exec.Command(program), "")
}

// startChild starts a server that prints its address. It gives the server the text as standard input.
func startChild(cmd *exec.Cmd, input string) (*exec.Cmd, string, error) {
	cmd.Stdin, cmd.Stderr = strings.NewReader(input), os.Stderr
	endWithParent(cmd)
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, "", err
	}
	if err := cmd.Start(); err != nil {
		return nil, "", err
	}
	address, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		endChild(cmd)
		return nil, "", fmt.Errorf("%s did not print its address: %w", cmd.Path, err)
	}
	return cmd, strings.TrimSpace(address), nil
}

func endChild(cmd *exec.Cmd) {
	_ = cmd.Process.Kill()
	_ = cmd.Wait()
}

func measureClients(b *bench) (section, error) {
	s := section{title: "Growth: concurrent agent clients",
		how:    "As above, with more clients at once. Latency grows with the queue, as clients and server share the cores; the cost of a reply should not.",
		growth: [][]string{{"clients", "replies a second", "p50", "p99", "CPU per reply", "failed"}}}
	car, err := b.start(nil)
	if err != nil {
		return s, err
	}
	defer car.stop() //nolint:errcheck // it stops after the measurement
	for _, clients := range []int{1, 10, 100, 300, 1000} {
		l, err := checks(car.pid(), car.agent).drive(clients, pick(b, 3000*time.Millisecond, 700*time.Millisecond))
		if err != nil {
			return s, err
		}
		s.growth = append(s.growth,
			[]string{fmt.Sprint(clients), amount(l.perSecond(), 0, ""),
				amount(milliseconds(percentile(l.latencies, .5)), 2, "ms"),
				amount(milliseconds(percentile(l.latencies, .99)), 2, "ms"), amount(l.cost(), 1, "µs"), fmt.Sprint(l.failed)})
	}
	return s, nil
}
