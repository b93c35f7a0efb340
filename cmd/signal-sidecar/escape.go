package main

import (
	"io"
	"slices"
	"sync"
	"unicode/utf8"

	"github.com/signal-sidecar/signal-sidecar/health"
)

// escaping returns the streams of a command. Its output may quote a service, a file or a flag, so control characters in
// it are escaped: they could otherwise control the terminal.
func escaping(std streams) streams {
	return streams{&escapingWriter{to: std.stdout}, &escapingWriter{to: std.stderr}}
}

// escapingWriter writes text with health.Escape.
type escapingWriter struct {
	to   io.Writer
	mu   sync.Mutex
	rest []byte // the first bytes of a character whose other bytes were not written yet
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
		return 0, err
	}
	return len(p), nil
}
