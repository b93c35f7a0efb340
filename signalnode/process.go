package signalnode

import (
	"context"
	"errors"
	"net"
	"net/http"
	"sync"
	"time"
)

// process is one run of a service: a listener, its server, and their goroutines.
type process struct {
	server *http.Server
	die    context.CancelFunc
	served chan struct{}  // closed when no more connections are accepted
	busy   sync.WaitGroup // a count for each connection, and for each request in a handler
}

// startProcess serves the listener, which it owns from now on. The context of its requests ends with the process.
func startProcess(l net.Listener, handler http.HandlerFunc) *process {
	ctx, die := context.WithCancel(context.Background())
	p := &process{die: die, served: make(chan struct{})}
	p.server = &http.Server{
		Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			p.busy.Add(1) // the connection is counted too, so this does not race with kill
			defer p.busy.Done()
			handler(w, r)
		}),
		BaseContext:       func(net.Listener) context.Context { return ctx },
		ConnState:         p.count,
		ReadHeaderTimeout: 10 * time.Second,
		IdleTimeout:       30 * time.Second, // the real programs close idle connections too
		MaxHeaderBytes:    16 << 10,
	}
	go func() {
		defer close(p.served)
		_ = p.server.Serve(l) // ends only by kill: net/http retries temporary errors of Accept
	}()
	return p
}

func (p *process) count(_ net.Conn, state http.ConnState) {
	switch state {
	case http.StateNew:
		p.busy.Add(1)
	case http.StateClosed, http.StateHijacked: // its handler closes it, and is counted
		p.busy.Done()
	}
}

// kill closes the listener and all connections, and waits until everything of the process has ended.
func (p *process) kill() error {
	p.die()
	err := p.server.Close()
	<-p.served
	// The first Close can miss a connection that is accepted at the same time. The second Close closes it.
	err = errors.Join(err, p.server.Close())
	p.busy.Wait()
	return err
}
