package main

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"time"
)

const haproxyHead = `global
    stats socket %s mode 600 level admin
    nbthread 1
defaults
    mode tcp
    timeout connect 1s
    timeout client 10s
    timeout server 10s
`

// The backends: the two ways in which HAProxy checks the agent.
const (
	ordinary = "ordinary"
	held     = "held"
)

// startHAProxy starts HAProxy with a server for each sidecar, in a backend for each port.
func (b *bench) startHAProxy(program string, cars []*sidecar, backends []string) (*exec.Cmd, string, error) {
	folder, err := os.MkdirTemp(b.folder, "haproxy-")
	if err != nil {
		return nil, "", err
	}
	socket := filepath.Join(folder, "stats")
	var config strings.Builder
	fmt.Fprintf(&config, haproxyHead, socket)
	for _, backend := range backends {
		fmt.Fprintf(&config, "backend %s\n", backend)
		if backend == held {
			fmt.Fprint(&config, "    timeout check 10s\n")
		}
		for i, car := range cars {
			address, often := car.agent, "2s"
			if backend == held {
				address, often = car.held, "100ms"
			}
			host, port, _ := strings.Cut(address, ":")
			fmt.Fprintf(&config,
				"    server s%d %s no-check agent-check agent-addr %s agent-port %s agent-inter %s weight 100\n",
				i, strings.TrimPrefix(car.node.Prosody.Origin(), "http://"), host, port, often)
		}
	}
	file := filepath.Join(folder, "haproxy.cfg")
	if err := os.WriteFile(file, []byte(config.String()), 0o600); err != nil {
		return nil, "", err
	}
	cmd := exec.Command(program, "-f", file, "-db")
	endWithParent(cmd)
	return cmd, socket, cmd.Start()
}

func measureHAProxy(b *bench) (section, error) {
	s := section{title: "HAProxy's own view",
		how: "The real HAProxy checks the agents: every 2 s on the ordinary port, every 100 ms on the held one (`timeout check 10s`). " +
			"From an event at a random moment to the new status in `show stat`, which is read every 5 ms. POLLING_INTERVAL=5, neither dampening nor grace, AGENT_HOLD as by default."}
	program, err := exec.LookPath("haproxy")
	if err != nil {
		s.notes = append(s.notes, "Skipped: haproxy is not installed.")
		return s, nil
	}
	cars := make([]*sidecar, pick(b, 5, 4))
	defer stopAll(cars)
	if err := lanes(len(cars), func(i int) (err error) { cars[i], err = b.start(nil); return err }); err != nil {
		return s, err
	}
	backends := []string{ordinary}
	if cars[0].holds() {
		backends = append(backends, held)
	} else {
		s.notes = append(s.notes, "The held port is skipped: this binary has none.")
	}
	cmd, socket, err := b.startHAProxy(program, cars, backends)
	if err != nil {
		return s, err
	}
	defer endChild(cmd)
	v := watchView(socket)
	defer v.stop()
	var delays events
	err = lanes(len(cars), func(i int) error { return b.viewEvents(cars[i], v, fmt.Sprintf("s%d", i), backends, &delays) })
	s.rows = haproxyRows(&delays, backends)
	return s, err
}

func stopAll(cars []*sidecar) {
	for _, car := range cars {
		if car != nil {
			_ = car.stop()
		}
	}
}

func haproxyRows(delays *events, backends []string) (rows []row) {
	goals := map[string]float64{"status edit": 150, "jicofo death": 250}
	for _, backend := range backends {
		for _, kind := range []string{"status edit", "jicofo death"} {
			took := delays.took[backend+kind]
			name := fmt.Sprintf("HAProxy, %s port: %s → `show stat`", backend, kind)
			p50, worst := milliseconds(percentile(took, .5)), milliseconds(percentile(took, 1))
			p50Name := fmt.Sprintf("%s, p50 of %d", name, len(took))
			if backend == held {
				rows = append(rows, atMost(p50Name, goals[kind], p50, 0, "ms"), atMost(name+", max", goals[kind], worst, 0, "ms"))
			} else {
				rows = append(rows, unchecked(p50Name, amount(p50, 0, "ms")), unchecked(name+", max", amount(worst, 0, "ms")))
			}
		}
	}
	return rows
}

// viewEvents triggers events on one sidecar, and measures how long each backend needs to show them.
func (b *bench) viewEvents(car *sidecar, v *view, server string, backends []string, delays *events) error {
	if err := firstChecks(car, v, server, backends); err != nil {
		return err
	}
	step := func(kind string, pause time.Duration, do func() error, fits func(string) bool) error {
		nap(100 * time.Millisecond)
		upTo(pause)
		began := time.Now()
		if err := do(); err != nil {
			return err
		}
		return v.await(began, server, backends, fits, func(backend string, took time.Duration) {
			delays.add(backend+kind, took)
		})
	}
	// After a change, checks are held again only after AGENT_HOLD. The next change comes later than that.
	const quiet = 6 * time.Second
	for range pick(b, 2, 1) {
		for _, word := range []string{"drain", "ready"} {
			fits := map[string]func(string) bool{"drain": isDraining, "ready": isServing}[word]
			if err := step("status edit", pick(b, quiet, 2*time.Second), func() error { return car.setStatus(word) },
				fits); err != nil {
				return err
			}
		}
	}
	for range pick(b, 2, 1) {
		err := step("jicofo death", quiet, car.node.Jicofo.Crash, isStopped)
		err = errors.Join(err, step("jicofo back", time.Second, car.node.Jicofo.Recover, isServing))
		if err != nil {
			return err
		}
	}
	return nil
}

// firstChecks waits until each backend has run its first check: HAProxy spreads the first checks over seconds.
func firstChecks(car *sidecar, v *view, server string, backends []string) error {
	return errors.Join(
		car.setStatus("drain"), v.await(time.Now(), server, backends, isDraining, nil),
		car.setStatus("ready"), v.await(time.Now(), server, backends, isServing, nil))
}

func isServing(status string) bool { return status == "UP" || status == "no check" }

func isDraining(status string) bool { return strings.HasPrefix(status, "DRAIN") }

func isStopped(status string) bool { return strings.HasPrefix(status, "DOWN") }

// view continuously reads HAProxy's view of its servers.
type view struct {
	mu      sync.Mutex
	changed *sync.Cond
	status  map[string]string // by backend/server
	err     error
	quit    chan struct{}
	done    chan struct{}
}

func watchView(socket string) *view {
	v := &view{quit: make(chan struct{}), done: make(chan struct{})}
	v.changed = sync.NewCond(&v.mu)
	go func() {
		defer close(v.done)
		for {
			status, err := readView(socket)
			v.mu.Lock()
			v.status, v.err = status, err
			v.changed.Broadcast()
			v.mu.Unlock()
			select {
			case <-v.quit:
				return
			default:
				nap(5 * time.Millisecond)
			}
		}
	}()
	return v
}

func (v *view) stop() {
	close(v.quit)
	<-v.done
}

// await waits until the status of the server fits in each backend. For each backend it calls report with the time since
// began.
func (v *view) await(began time.Time, server string, backends []string, fits func(string) bool,
	report func(string, time.Duration)) error {
	open := map[string]bool{}
	for _, backend := range backends {
		open[backend] = true
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	for len(open) > 0 {
		v.changed.Wait()
		took := time.Since(began)
		for backend := range open {
			if !fits(v.status[backend+"/"+server]) {
				continue
			}
			delete(open, backend)
			if report != nil {
				report(backend, took)
			}
		}
		if took > bound && len(open) > 0 {
			return fmt.Errorf("HAProxy shows %q for %s: %w", v.status, server, v.err)
		}
	}
	return nil
}
