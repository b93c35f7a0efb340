package consul

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/signal-sidecar/signal-sidecar/errtext"
	"github.com/signal-sidecar/signal-sidecar/health"
)

const (
	maxToken = 4 << 10 // bytes of the file of the token
	maxText  = 300     // characters of an answer that an error quotes

	// defaultWait is how long Consul lets a blocking query wait that names no time. Consul adds up to a sixteenth.
	defaultWait = 5 * time.Minute
	jitterPart  = 16
	// maxRetryAfter limits what an answer may ask for.
	maxRetryAfter = 10 * time.Minute
)

// authenticator adds the ACL token to each request.
type authenticator struct {
	next        http.RoundTripper
	token, file string
}

var errToken = errors.New("CONSUL_HTTP_TOKEN_FILE")

// RoundTrip implements http.RoundTripper.
func (a *authenticator) RoundTrip(r *http.Request) (*http.Response, error) {
	token := a.token
	if a.file != "" {
		content, err := readToken(a.file)
		if err != nil {
			return nil, fmt.Errorf("%w: %w", errToken, err)
		}
		token = content
	}
	r = r.Clone(r.Context())
	r.Header.Del("X-Consul-Token")
	if token != "" {
		r.Header.Set("X-Consul-Token", token)
	}
	return a.next.RoundTrip(r)
}

func readToken(path string) (string, error) {
	f, err := os.Open(path)
	if err != nil {
		return "", &errtext.Error{Text: errtext.File(err), Err: err}
	}
	defer f.Close()
	content, err := io.ReadAll(io.LimitReader(f, maxToken+1))
	switch {
	case err != nil:
		return "", err
	case len(content) > maxToken:
		return "", fmt.Errorf("%s is larger than %d bytes", path, maxToken)
	}
	token := strings.TrimSpace(string(content))
	if strings.ContainsFunc(token, func(r rune) bool { return r <= ' ' || r > '~' }) {
		return "", fmt.Errorf("%s does not contain a token", path)
	}
	return token, nil
}

// checker limits the time of each request and the size of its answer, and turns an answer that is not one of Consul's
// results into an error.
type checker struct {
	next      http.RoundTripper
	timeout   time.Duration
	maxAnswer int64
}

var errHang = errors.New("gave no complete reply")

// RoundTrip implements http.RoundTripper.
func (c *checker) RoundTrip(r *http.Request) (*http.Response, error) {
	limit := c.timeout + waitOf(r)
	ctx, cancel := context.WithTimeoutCause(r.Context(), limit, fmt.Errorf("%w within %s", errHang, limit))
	response, err := c.next.RoundTrip(r.WithContext(ctx))
	if err != nil {
		defer cancel()
		return nil, causeOf(ctx, err)
	}
	response.Body = &body{response.Body, ctx, cancel, nil, c.maxAnswer + 1}
	if err := check(response); err != nil {
		_ = response.Body.Close()
		return nil, err
	}
	return response, nil
}

// causeOf returns why a request failed: an error of this package if that ended ctx.
func causeOf(ctx context.Context, err error) error {
	if cause := context.Cause(ctx); errors.Is(cause, errHang) {
		return cause
	}
	return err
}

// waitOf returns how long Consul may wait before it answers.
func waitOf(r *http.Request) time.Duration {
	query := r.URL.Query()
	if query.Get("index") == "" && query.Get("hash") == "" {
		return 0
	}
	wait, err := time.ParseDuration(query.Get("wait"))
	if err != nil {
		wait = defaultWait
	}
	return wait + wait/jitterPart
}

// check returns an error for an answer that is not one of Consul's results. A missing key (404) and a transaction that
// was refused (409) are results.
func check(r *http.Response) error {
	switch {
	case r.StatusCode >= 300 && r.StatusCode < 400:
		return &StatusError{Code: r.StatusCode, Location: health.OneLine(cut(r.Header.Get("Location")))}
	case isHTML(r) && r.StatusCode != http.StatusRequestEntityTooLarge: // a proxy's page has the same meaning
		return fmt.Errorf("%w (status %d)", ErrHTML, r.StatusCode)
	case r.StatusCode == http.StatusOK, r.StatusCode == http.StatusNoContent, r.StatusCode == http.StatusNotFound,
		r.StatusCode == http.StatusConflict:
		return nil
	}
	text, _ := io.ReadAll(io.LimitReader(r.Body, 4*maxText)) // what was read is enough
	return &StatusError{Code: r.StatusCode, Text: cut(health.OneLine(string(text))), RetryAfter: retryAfter(r)}
}

// isHTML reports whether an answer is a page. Consul sends JSON, and errors as plain text.
func isHTML(r *http.Response) bool {
	if strings.Contains(strings.ToLower(r.Header.Get("Content-Type")), "html") {
		return true
	}
	b := r.Body.(*body)
	begin := make([]byte, 1)
	if n, _ := b.Read(begin); n == 1 { // a failure shows again at the next read
		b.unread = begin
	}
	return bytes.HasPrefix(b.unread, []byte("<"))
}

func cut(text string) string {
	if characters := []rune(text); len(characters) > maxText {
		return string(characters[:maxText-3]) + "..."
	}
	return text
}

// retryAfter returns the header Retry-After, in seconds or as a date.
func retryAfter(r *http.Response) time.Duration {
	text := r.Header.Get("Retry-After")
	after := time.Duration(0)
	if n, err := strconv.ParseUint(text, 10, 31); err == nil {
		after = time.Duration(n) * time.Second
	} else if at, err := http.ParseTime(text); err == nil {
		after = time.Until(at)
	}
	return min(max(after, 0), maxRetryAfter)
}

// body is the body of an answer. It fails when the answer is too large.
type body struct {
	io.ReadCloser
	ctx    context.Context // of the request
	cancel context.CancelFunc
	unread []byte // read already, and not passed on
	left   int64  // bytes until it is too large
}

// Read implements io.Reader.
func (b *body) Read(p []byte) (int, error) {
	if len(b.unread) > 0 {
		n := copy(p, b.unread)
		b.unread = b.unread[n:]
		return n, nil
	}
	if b.left <= 0 {
		return 0, ErrTooLarge
	}
	n, err := b.ReadCloser.Read(p[:min(int64(len(p)), b.left)])
	b.left -= int64(n)
	if err != nil && !errors.Is(err, io.EOF) {
		err = causeOf(b.ctx, err)
	}
	return n, err
}

// Close implements io.Closer.
func (b *body) Close() error {
	defer b.cancel()
	return b.ReadCloser.Close()
}
