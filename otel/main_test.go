package otel

import (
	"context"
	"io"
	"log/slog"
	"testing"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// newProviders returns providers with the Prometheus bridge, until the test ends.
func newProviders(t *testing.T, log io.Writer) *Providers {
	t.Helper()
	p, err := New(t.Context(), Options{
		Build:      Build{Version: "v1.2.3", Revision: "abc", GoVersion: "go1.26"},
		Prometheus: true, Log: slog.NewJSONHandler(log, nil),
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := p.Shutdown(context.Background()); err != nil {
			t.Errorf("shutdown: %v", err)
		}
	})
	return p
}
