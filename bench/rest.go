package main

import (
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"time"
)

// bareArgument makes this program serve one fixed reply, for comparison.
const bareArgument = "bare-handler"

// answer is an HTTP reply.
type answer struct {
	Header http.Header
	Body   []byte
}

// fetch requests a path of a server.
func fetch(address, path string) (answer, error) {
	request, err := http.NewRequest(http.MethodGet, "http://"+address+path, nil)
	if err != nil {
		return answer{}, err
	}
	client := http.Client{Timeout: bound, Transport: &http.Transport{DisableCompression: true, DisableKeepAlives: true}}
	got, err := client.Do(request)
	if err != nil {
		return answer{}, err
	}
	defer got.Body.Close()
	body, err := io.ReadAll(got.Body)
	if err == nil && got.StatusCode != http.StatusOK {
		err = fmt.Errorf("the answer of %s was %s", path, got.Status)
	}
	return answer{got.Header, body}, err
}

// serveBare reads a reply from in, serves it with a bare net/http handler, and prints the address to out.
func serveBare(in io.Reader, out io.Writer) error {
	var a answer
	if err := json.NewDecoder(in).Decode(&a); err != nil {
		return err
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	fmt.Fprintln(out, listener.Addr())
	return http.Serve(listener, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		for name, values := range a.Header {
			w.Header()[name] = values
		}
		_, _ = w.Write(a.Body)
	}))
}

// startBare starts a process that serves the same bytes as the sidecar at the path.
func startBare(s *sidecar, path string) (*exec.Cmd, target, error) {
	same, err := fetch(s.http, path)
	if err != nil {
		return nil, target{}, err
	}
	same.Header.Del("Date")       // net/http sets its own
	same.Header.Del("Connection") // applies to one request only
	input, err := json.Marshal(same)
	if err != nil {
		return nil, target{}, err
	}
	self, err := os.Executable()
	if err != nil {
		return nil, target{}, err
	}
	cmd, address, err := startChild(exec.Command(self, bareArgument), string(input))
	if err != nil {
		return nil, target{}, err
	}
	return cmd, requests(cmd.Process.Pid, address, path), nil
}

func measureREST(b *bench) (section, error) {
	s := section{title: "REST",
		how: "4 clients on kept connections, one request after the other, against the sidecar and against a bare net/http handler in a " +
			"process of its own that answers with the same bytes, in turn. The ratio is the median of those of each round."}
	car, err := b.start(nil)
	if err != nil {
		return s, err
	}
	defer car.stop() //nolint:errcheck // it stops after the measurement
	for _, path := range []string{"/signal/health", "/signal/report"} {
		rows, err := b.compareREST(car, path)
		if err != nil {
			return s, err
		}
		s.rows = append(s.rows, rows...)
	}
	return s, nil
}

func (b *bench) compareREST(car *sidecar, path string) ([]row, error) {
	bare, same, err := startBare(car, path)
	if err != nil {
		return nil, err
	}
	defer endChild(bare)
	rounds, err := inTurn(pick(b, 9, 3), 4, pick(b, 1200*time.Millisecond, 400*time.Millisecond),
		requests(car.pid(), car.http, path), same)
	if err != nil {
		return nil, err
	}
	own, floor := of(rounds[0], load.cost), of(rounds[1], load.cost)
	return []row{
		unchecked(path+": requests a second", amount(median(of(rounds[0], load.perSecond)), 0, "")),
		unchecked(path+": latency p50, p99",
			fmt.Sprintf("%.0f µs, %.0f µs", microseconds(percentile(latencies(rounds[0]), .5)),
				microseconds(percentile(latencies(rounds[0]), .99)))),
		unchecked(path+": CPU per request, sidecar and bare", fmt.Sprintf("%.1f µs, %.1f µs", median(own), median(floor))),
		unchecked(path+": CPU per request, times the bare handler's", amount(medianRatio(own, floor), 2, "×")),
	}, nil
}
