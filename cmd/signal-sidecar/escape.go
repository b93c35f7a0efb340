package main

import (
	"cmp"
	"io"
	"slices"
	"sync"
	"unicode/utf8"

	"github.com/signal-sidecar/signal-sidecar/health"
)

// escaping returns a stream of a command. Its output may quote a service, a file or a flag, so control characters in it
// are escaped: they could otherwise control the terminal.
func escaping(to io.Writer) *escapingWriter { return &escapingWriter{to: to} }

// logStream returns standard output for the log. Its errors do not count: the sidecar runs on without its log.
func logStream(std streams) io.Writer {
	if w, ok := std.stdout.(*escapingWriter); ok {
		return escaping(w.to)
	}
	return std.stdout
}

// escapingWriter writes text with health.Escape.
type escapingWriter struct {
	to   io.Writer
	mu   sync.Mutex
	rest []byte // the first bytes of a character whose other bytes were not written yet
	err  error  // the first one
}

// Write implements io.Writer.
func (w *escapingWriter) Write(p []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	text := slices.Concat(w.rest, p)
	end := len(text)
	for begin := max(0, end-utf8.UTFMax+1); begin < end; begin++ {
		if utf8.RuneStart(text[begin]) && !utf8.FullRune(text[begin:]) {
			end = begin
		}
	}
	_, err := io.WriteString(w.to, health.Escape(string(text[:end])))
	w.rest = text[end:]
	if err != nil {
		w.err = cmp.Or(w.err, err)
		return 0, err
	}
	return len(p), nil
}

// failed returns the first error of Write.
func (w *escapingWriter) failed() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.err
}
