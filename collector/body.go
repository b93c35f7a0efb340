package collector

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
)

// body is that of an answer, as far as it has been read. It is kept once, in one piece.
type body struct {
	from  io.Reader // what is left of it
	limit int64     // bytes
	read  []byte
	err   error // what ended the reading; io.EOF for the end of the body
}

// newBody begins to read an answer's body. Without a Content-Length, expected is how long it may be; neither is believed
// beyond the limit.
func newBody(res *http.Response, limit, expected int64) *body {
	if res.ContentLength >= 0 {
		expected = res.ContentLength
	}
	return &body{
		from:  io.LimitReader(res.Body, limit+1),
		limit: limit,
		read:  make([]byte, 0, min(expected, limit)+bytes.MinRead),
	}
}

// more reads on. It reports whether anything came; if not, nothing will.
func (b *body) more() bool {
	before := len(b.read)
	for b.err == nil && len(b.read) == before {
		if most := int(b.limit) + 1 + bytes.MinRead; cap(b.read)-before < bytes.MinRead && cap(b.read) < most {
			grown := make([]byte, before, min(2*cap(b.read), most))
			copy(grown, b.read)
			b.read = grown
		}
		var n int
		n, b.err = b.from.Read(b.read[before:cap(b.read)])
		b.read = b.read[:before+n]
		if int64(len(b.read)) > b.limit {
			b.err = fmt.Errorf("%w (%d bytes)", errBodySize, b.limit)
		}
	}
	return len(b.read) > before
}

// all reads to the end and returns the whole body, or what came of it.
func (b *body) all() []byte {
	for b.more() {
	}
	return b.read
}

// anyBody is for probes to which only the code matters.
func anyBody(*body) error { return nil }

// failure is why the body could not be read to its end, nil if it was.
func (b *body) failure() error {
	if b.err == io.EOF { //nolint:errorlint // as io.Reader says it
		return nil
	}
	return b.err
}
