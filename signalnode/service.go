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

// Service is one of the node's two programs, with a listener of its own.
type Service struct {
	name     string
	program  program
	requests requests
	address  string // host:port, once started

	life    sync.Mutex // held over a start or an end, which wait for handlers; never taken by them
	process *process   // nil while it is down
	closed  bool

	mu        sync.Mutex
	behaviors map[string]Behavior // by path, "" for all paths without one of their own
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

// Set makes the service treat requests for the path as b says, from now on; the path "" sets all paths, also those
// that were set on their own before. A path that the service does not know is answered with 404 when it is healthy.
//
// Requests that hang or are slow are treated as b says too, as if they had come just now; a body that drips or is huge
// is cut off. While the service is down Set has no effect that lasts: Recover makes all healthy.
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

// Crash ends the service as the death of its process does: the listener and all connections are closed, and new ones
// are refused. It returns when that is so. The crash of a service that is down does nothing.
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
// was closed, or if something else took the port.
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
// latest of them, oldest first, at most 32. A request is there before anything is done with it. The path "" stands for
// all requests; other than there, no more than the first 16 paths are kept account of.
//
// An http.Client sends a request once more by itself when a connection that it used before breaks without an answer.
func (s *Service) Requests(path string) (count int, latest []Request) { return s.requests.get(path) }

// start listens on the address, or without one where the port lasts.
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
	return s.crash()
}

// running reports whether the service listens.
func (s *Service) running() bool {
	s.life.Lock()
	defer s.life.Unlock()
	return s.process != nil
}

func (s *Service) serve(w http.ResponseWriter, r *http.Request) {
	s.requests.add(r)
	// net/http notices that a client has gone away, and close can send FIN instead of RST, only when all is read.
	_, _ = io.Copy(io.Discard, r.Body)
	for s.attempt(w, r) {
	}
}

// attempt treats the request as its path's behavior says; it reports whether that changed before anything was sent.
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
