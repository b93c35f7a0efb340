package signalnode

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"time"
)

// exchange is one attempt to treat a request. Its context ends when the client goes away, the behavior of the path
// changes, or the process dies.
type exchange struct {
	program program
	w       http.ResponseWriter
	r       *http.Request
	ctx     context.Context
	cancel  context.CancelCauseFunc
}

// perform does what the behavior says. It reports whether the behavior changed before anything was sent.
func (e *exchange) perform(b Behavior) (again bool) {
	switch b.kind {
	case kindHang:
		<-e.ctx.Done()
		return e.interrupted()
	case kindSlow:
		if !e.wait(b.delay) {
			return e.interrupted()
		}
		e.program.healthy(e.r).writeTo(e.w)
	case kindCode:
		e.program.failing(e.r, b.number).writeTo(e.w)
	case kindBody:
		answer{http.StatusOK, e.program.healthy(e.r).contentType, []byte(b.argument)}.writeTo(e.w)
	case kindNotJSON:
		answer{http.StatusOK, e.program.healthy(e.r).contentType, []byte("<this is not JSON>")}.writeTo(e.w)
	case kindRedirect:
		e.redirect(b)
	case kindDrip:
		e.stream(1, dripEvery)
	case kindHuge:
		e.stream(32<<10, 0)
	case kindTruncate:
		e.truncate()
	case kindReset:
		e.cut(nil, 0) // what is not sent yet is dropped, and RST takes the place of FIN
	case kindClose:
		e.cut(nil, -1)
	case kindGarbage:
		e.cut([]byte("\x16\x03\x01 this is not HTTP\r\n\r\n"), -1)
	default:
		e.program.healthy(e.r).writeTo(e.w)
	}
	return false
}

// interrupted reports whether the request is to be treated anew, now that the context has ended; if not there is
// nobody to answer, or nobody who could.
func (e *exchange) interrupted() bool {
	if errors.Is(context.Cause(e.ctx), errBehaviorChanged) {
		return true
	}
	panic(http.ErrAbortHandler) // net/http's way of closing a connection without an answer
}

// wait reports whether the time passed before the context ended.
func (e *exchange) wait(d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-e.ctx.Done():
		return false
	}
}

// redirect counts the redirects in the address, so that clients do not count each other's.
func (e *exchange) redirect(b Behavior) {
	const hop = "hop"
	to := url.URL{Path: e.r.URL.Path}
	if b.argument != loop {
		hops, _ := strconv.Atoi(e.r.URL.Query().Get(hop))
		if hops < 0 || hops >= b.number {
			e.program.healthy(e.r).writeTo(e.w)
			return
		}
		to.RawQuery = url.Values{hop: {strconv.Itoa(hops + 1)}}.Encode()
	}
	e.w.Header().Set("Location", to.String())
	e.program.failing(e.r, http.StatusFound).writeTo(e.w)
}

// stream sends a body without end and without a length, in chunks of so many bytes, until the context ends. It is
// white space: a reader of JSON that knows no bound skips that for ever.
func (e *exchange) stream(chunk int, every time.Duration) {
	rc := http.NewResponseController(e.w)
	freed := make(chan struct{})
	stop := context.AfterFunc(e.ctx, func() {
		defer close(freed)
		_ = rc.SetWriteDeadline(time.Now()) // frees the write that a client who reads nothing holds up
	})
	defer func() {
		if !stop() {
			<-freed
		}
	}()
	e.w.Header().Set("Content-Type", e.program.healthy(e.r).contentType)
	e.w.WriteHeader(http.StatusOK)
	err := rc.Flush()
	if e.r.Method == http.MethodHead {
		return // it has no body, however long
	}
	for data := bytes.Repeat([]byte(" "), chunk); err == nil && e.wait(every); {
		if _, err = e.w.Write(data); err == nil {
			err = rc.Flush()
		}
	}
	panic(http.ErrAbortHandler) // a return would end the body properly
}

// truncate announces the whole body, sends half of it, and closes.
func (e *exchange) truncate() {
	a := e.program.healthy(e.r)
	const head = "HTTP/1.1 %d %s\r\nContent-Type: %s\r\nContent-Length: %d\r\n\r\n"
	data := fmt.Appendf(nil, head, a.code, http.StatusText(a.code), a.contentType, len(a.body))
	e.cut(append(data, a.body[:len(a.body)/2]...), -1)
}

// cut sends the bytes as they are and closes the connection, with the linger time that net.TCPConn.SetLinger explains.
func (e *exchange) cut(data []byte, linger int) {
	conn, _, err := http.NewResponseController(e.w).Hijack()
	if err != nil {
		panic(http.ErrAbortHandler) // the connection broke by itself
	}
	defer conn.Close()
	if tcp, ok := conn.(*net.TCPConn); ok {
		_ = tcp.SetLinger(linger)
	}
	if len(data) > 0 {
		_ = conn.SetWriteDeadline(time.Now().Add(time.Second)) // as the connection is not the process's to close any more
		_, _ = conn.Write(data)
	}
}
