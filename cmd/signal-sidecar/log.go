package main

import (
	"io"
	"log/slog"
	"os"
	"os/signal"
	"strings"
	"syscall"

	"github.com/signal-sidecar/signal-sidecar/config"
	"github.com/signal-sidecar/signal-sidecar/health"
)

// newLogHandler returns a handler that writes the log in the format of LOG_FORMAT.
func newLogHandler(c config.Config, w io.Writer) slog.Handler {
	options := &slog.HandlerOptions{Level: c.LogLevel, ReplaceAttr: originalKeys}
	if c.LogFormat == "text" {
		return slog.NewTextHandler(w, options)
	}
	return slog.NewJSONHandler(w, options)
}

// originalKeys gives a log record the keys of the Node original, which existing tools read: timestamp (RFC 3339, UTC,
// milliseconds), level in lower case, and message.
func originalKeys(groups []string, a slog.Attr) slog.Attr {
	switch {
	case len(groups) > 0:
	case a.Key == slog.TimeKey && a.Value.Kind() == slog.KindTime:
		return slog.Any("timestamp", health.Time(a.Value.Time()))
	case a.Key == slog.LevelKey:
		return slog.String(a.Key, strings.ToLower(a.Value.String()))
	case a.Key == slog.MessageKey:
		a.Key = "message"
	}
	return a
}

// surviveLogReader keeps the process running when the reader of its log ends. A write to a broken pipe on standard
// output or standard error ends a Go program, unless it receives SIGPIPE; then the write returns EPIPE (package
// os/signal, "SIGPIPE"). The signal is received and not ignored, because child processes would inherit an ignored
// signal.
func surviveLogReader() { signal.Notify(make(chan os.Signal, 1), syscall.SIGPIPE) }
