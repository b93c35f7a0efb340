package signalnode

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"sync"
)

// Service is one of the node's two programs, with its own listener.
type Service struct {
	name     string
	program  program
	requests requests
	address  string // host:port, once started

	life    sync.Mutex // held during start and end, which wait for handlers; handlers never take it
	process *process   // nil while it is down
	closed  bool

	mu        sync.Mutex
	behaviors map[string]Behavior // by path; "" is for all other paths
	exchanges map[*exchange]struct{}
}

func newService(name string, p program) *Service {
	return &Service{
		name:      name,
		program:   p,
		behaviors: make(map[string]Behavior),
		exchanges: make(map[*exchange]struct{}),
	}
}

// Origin returns the service's http://127.0.0.1:port, or that of the address at which it was started. The port stays
// the same over Crash and Recover.
func (s *Service) Origin() string { return "http://" + s.address }

// Set sets the behavior of a path; the path "" sets all paths, including those that were set separately. A healthy
// service replies with 404 to an unknown path.
//
// Requests that hang or are slow get the new behavior, as if they had just arrived; a body that drips or is huge is cut
// off. While the service is down Set has no effect: Recover makes all paths healthy.
func (s *Service) Set(path string, b Behavior) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if path == "" {
		clear(s.behaviors)
	}
	s.behaviors[path] = b
	for e := range s.exchanges {
		if path == "" || path == e.r.URL.Path {
			e.cancel(errBehaviorChanged)
		}
	}
}

// Crash ends the service as if its process died: it closes the listener and all connections, and new ones are refused.
// It returns when this is done. It does nothing if the service is down.
func (s *Service) Crash() error {
	s.life.Lock()
	defer s.life.Unlock()
	return s.crash()
}

func (s *Service) crash() error {
	if s.process == nil {
		return nil
	}
	err := s.process.kill()
	s.process = nil
	if err != nil {
		return fmt.Errorf("end %s on %s: %w", s.name, s.address, err)
	}
	return nil
}

// Recover makes the service healthy on all paths, and starts it on the port it had if it is down. It fails if the node
// was closed, or if another program uses the port.
func (s *Service) Recover() error {
	s.life.Lock()
	defer s.life.Unlock()
	if s.closed {
		return fmt.Errorf("recover %s on %s: the node was closed", s.name, s.address)
	}
	s.Set("", Behavior{})
	if s.process != nil {
		return nil
	}
	l, err := net.Listen("tcp", s.address)
	if err != nil {
		return fmt.Errorf("recover %s: %w", s.name, err)
	}
	s.process = startProcess(l, s.serve)
	return nil
}

// Requests returns how many requests for the path have come since the node was started, crashes included, and the
// latest of them, oldest first, at most 32. A request is counted before it is handled. The path "" stands for all
// requests. Of the other paths, only the first 16 that are requested are counted.
//
// An http.Client sends a request again when a reused connection breaks without a reply.
func (s *Service) Requests(path string) (count int, latest []Request) { return s.requests.get(path) }

// start listens on the address; for "" on a port that stays free while the service is down.
func (s *Service) start(address string) error {
	s.life.Lock()
	defer s.life.Unlock()
	listen := listenOnLastingPort
	if address != "" {
		listen = func() (net.Listener, error) { return net.Listen("tcp", address) }
	}
	l, err := listen()
	if err != nil {
		return fmt.Errorf("start %s: %w", s.name, err)
	}
	s.address = l.Addr().String()
	s.process = startProcess(l, s.serve)
	return nil
}

func (s *Service) close() error {
	s.life.Lock()
	defer s.life.Unlock()
	s.closed = true
	err := s.crash()
	releasePort(s.address)
	return err
}

// running reports whether the service listens.
func (s *Service) running() bool {
	s.life.Lock()
	defer s.life.Unlock()
	return s.process != nil
}

func (s *Service) serve(w http.ResponseWriter, r *http.Request) {
	s.requests.add(r)
	// net/http notices that the client has gone away only after the body was read. Unread data would also make close
	// send RST instead of FIN.
	_, _ = io.Copy(io.Discard, r.Body)
	for s.attempt(w, r) {
	}
}

// attempt handles the request with the behavior of its path. It returns true if the behavior changed before anything
// was sent.
func (s *Service) attempt(w http.ResponseWriter, r *http.Request) (again bool) {
	ctx, cancel := context.WithCancelCause(r.Context())
	e := &exchange{program: s.program, w: w, r: r, ctx: ctx, cancel: cancel}
	b := s.begin(e)
	defer s.end(e)
	return e.perform(b)
}

var errBehaviorChanged = errors.New("the behavior changed")

func (s *Service) begin(e *exchange) Behavior {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.exchanges[e] = struct{}{}
	path := e.r.URL.Path
	if _, own := s.behaviors[path]; !own {
		path = ""
	}
	b := s.behaviors[path]
	if b.kind == kindReset && b.number > 0 {
		s.behaviors[path] = resets(b.number - 1)
	}
	return b
}

func (s *Service) end(e *exchange) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.exchanges, e)
	e.cancel(nil)
}
