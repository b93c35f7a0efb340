package collector

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
)

// readBody reads the body of a response into one buffer. Without a Content-Length, expected is the estimated size of
// the body in bytes. Neither is trusted beyond the limit. If the body is larger than the limit (errBodySize) or cannot
// be read, readBody returns the error and the bytes read so far.
func readBody(res *http.Response, limit, expected int64) ([]byte, error) {
	if res.ContentLength >= 0 {
		expected = res.ContentLength
	}
	most := int(limit) + 1 + bytes.MinRead
	body := make([]byte, 0, min(expected, limit)+bytes.MinRead)
	from := io.LimitReader(res.Body, limit+1)
	for {
		if cap(body)-len(body) < bytes.MinRead && cap(body) < most {
			grown := make([]byte, len(body), min(2*cap(body), most))
			copy(grown, body)
			body = grown
		}
		n, err := from.Read(body[len(body):cap(body)])
		body = body[:len(body)+n]
		switch {
		case int64(len(body)) > limit:
			return body, fmt.Errorf("%w (%d bytes)", errBodySize, limit)
		case err == io.EOF: //nolint:errorlint // io.Reader returns io.EOF itself
			return body, nil
		case err != nil:
			return body, err
		}
	}
}

// anyBody accepts every body. It is for probes that check only the status code.
func anyBody([]byte) error { return nil }
