package otel

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"
)

// A signal whose backend does not reply takes no time from the others.
func TestShutdownOfOneSignalDoesNotWaitForAnother(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		began, late := time.Now(), errors.New("late")
		var took time.Duration
		p := &Providers{shutdown: []func(context.Context) error{
			func(ctx context.Context) error { <-ctx.Done(); return late },
			func(context.Context) error { took = time.Since(began); return nil },
		}}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if err := p.Shutdown(ctx); !errors.Is(err, late) {
			t.Errorf("error %v", err)
		}
		if took != 0 {
			t.Errorf("the second had to wait %s", took)
		}
	})
}
