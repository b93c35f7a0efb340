package webconfig

import (
	"context"
	"crypto/tls"
	"errors"
	"log/slog"
	"net/http"
	"strconv"
	"sync/atomic"
	"time"
)

// reloadInterval is the time between two looks at the files.
const reloadInterval = time.Second

// File is a web configuration file in force. Changes of it, and of the certificates, take effect within about a second.
type File struct {
	path      string
	log       *slog.Logger
	state     atomic.Pointer[state]
	passwords *passwords
	problem   string // of the latest reload, "" if it succeeded
}

// Open reads the file. Run reloads it.
func Open(path string, log *slog.Logger) (*File, error) {
	s, err := load(path)
	if err != nil {
		return nil, err
	}
	f := &File{path: path, log: log, passwords: newPasswords()}
	f.state.Store(s)
	return f, nil
}

// Run reloads the file when it or a file that it names has changed, until ctx ends. It returns nil.
func (f *File) Run(ctx context.Context) error {
	look := time.NewTicker(reloadInterval)
	defer look.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-look.C:
			f.reload(ctx)
		}
	}
}

// reload puts the files in force if they have changed. If they cannot be used, the previous content stays in force.
func (f *File) reload(ctx context.Context) {
	_, sum, err := read(f.path)
	current := f.state.Load()
	if err == nil && sum == current.sum {
		f.problem = ""
		return
	}
	var next *state
	if err == nil {
		next, err = load(f.path)
	}
	if err == nil && (next.tls == nil) != (current.tls == nil) {
		err = errors.New("TLS is turned on or off, which needs a restart")
	}
	if err != nil {
		if f.problem != err.Error() {
			f.problem = err.Error()
			f.log.ErrorContext(ctx, "web configuration cannot be used; the previous one stays in force",
				"path", f.path, "error", f.problem)
		}
		return
	}
	f.problem = ""
	f.state.Store(next)
	f.log.InfoContext(ctx, "web configuration reloaded", "path", f.path)
}

// TLS returns the configuration of a TLS server, or nil for plain HTTP.
func (f *File) TLS() *tls.Config {
	if f.state.Load().tls == nil {
		return nil
	}
	return &tls.Config{
		MinVersion:         tls.VersionTLS12, // that of the file is in the returned one
		GetConfigForClient: func(*tls.ClientHelloInfo) (*tls.Config, error) { return f.state.Load().tls, nil },
	}
}

// Admit sets the headers of the file on a reply, and reports whether the request may be served. If not, it has sent the
// reply. An open request needs no password.
func (f *File) Admit(w http.ResponseWriter, r *http.Request, open bool) bool {
	s := f.state.Load()
	for name, text := range s.headers {
		w.Header().Set(name, text)
	}
	if open || len(s.users) == 0 {
		return true
	}
	code := http.StatusUnauthorized
	if name, password, ok := r.BasicAuth(); ok {
		switch f.passwords.check(addressOf(r), s.users, name, password) {
		case right:
			return true
		case busy:
			code = http.StatusTooManyRequests
			w.Header().Set("Retry-After", strconv.Itoa(retryAfter))
		}
	}
	if code == http.StatusUnauthorized {
		w.Header().Set("WWW-Authenticate", `Basic realm="signal-sidecar", charset="UTF-8"`)
	}
	http.Error(w, http.StatusText(code), code)
	return false
}
