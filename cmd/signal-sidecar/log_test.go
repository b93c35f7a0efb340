package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"log/slog"
	"maps"
	"testing"
	"time"

	"github.com/signal-sidecar/signal-sidecar/config"
)

// TestLogLine checks the keys of the Node original. Attributes of the record do not change them.
func TestLogLine(t *testing.T) {
	t.Parallel()
	var log bytes.Buffer
	moment := time.Date(2026, 3, 1, 12, 0, 0, 7e6, time.FixedZone("", 3600))
	r := slog.NewRecord(moment, slog.LevelWarn, "probe began to fail", 0)
	r.AddAttrs(slog.String("probe", "prosody"), slog.Any("error", errors.New("no answer")))
	if err := newLogHandler(config.Config{}, &log).Handle(t.Context(), r); err != nil {
		t.Fatal(err)
	}
	var got map[string]string
	if err := json.Unmarshal(log.Bytes(), &got); err != nil {
		t.Fatal(err)
	}
	want := map[string]string{
		"timestamp": "2026-03-01T11:00:00.007Z", "level": "warn", "message": "probe began to fail",
		"probe": "prosody", "error": "no answer",
	}
	if !maps.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}
