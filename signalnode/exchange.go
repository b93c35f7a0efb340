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

// exchange is one attempt to handle a request. Its context ends when the client goes away, the behavior of the path
// changes, or the process dies.
type exchange struct {
	program program
	w       http.ResponseWriter
	r       *http.Request
	ctx     context.Context
	cancel  context.CancelCauseFunc
}

// perform handles the request as the behavior requires. It reports whether the behavior changed before anything was
// sent.
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
		e.cut(nil, 0) // linger 0: unsent data is dropped, and the close sends RST instead of FIN
	case kindClose:
		e.cut(nil, -1)
	case kindGarbage:
		e.cut([]byte("\x16\x03\x01 this is not HTTP\r\n\r\n"), -1)
	default:
		e.program.healthy(e.r).writeTo(e.w)
	}
	return false
}

// interrupted is called when the context has ended. It returns true if the request has to be handled again, because the
// behavior changed. Otherwise it closes the connection without a reply.
func (e *exchange) interrupted() bool {
	if errors.Is(context.Cause(e.ctx), errBehaviorChanged) {
		return true
	}
	panic(http.ErrAbortHandler) // makes net/http close the connection without a reply
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

// redirect counts the redirects in the query of the URL, so that each client has a count of its own.
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

// stream sends a body without end and without a length, in chunks of that many bytes, until the context ends. The body
// is white space, which a JSON parser without a limit reads without end.
func (e *exchange) stream(chunk int, every time.Duration) {
	rc := http.NewResponseController(e.w)
	freed := make(chan struct{})
	stop := context.AfterFunc(e.ctx, func() {
		defer close(freed)
		_ = rc.SetWriteDeadline(time.Now()) // ends a write that blocks because the client does not read
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
		return // the reply to HEAD has no body
	}
	for data := bytes.Repeat([]byte(" "), chunk); err == nil && e.wait(every); {
		if _, err = e.w.Write(data); err == nil {
			err = rc.Flush()
		}
	}
	panic(http.ErrAbortHandler) // a return would end the body without an error
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
		_ = conn.SetWriteDeadline(time.Now().Add(time.Second)) // process.kill does not close a hijacked connection
		_, _ = conn.Write(data)
	}
}
