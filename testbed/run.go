package testbed

import (
	"context"
	"errors"
	"time"
)

// Background runs a long-running function. Stop ends its context, waits for its end and returns its error. It can be
// called several times. It returns an error if the function does not end within the bound.
func Background(run func(context.Context) error, bound time.Duration) (stop func() error, ended <-chan struct{}) {
	ctx, cancel := context.WithCancel(context.Background())
	end := make(chan struct{})
	var result error
	go func() {
		defer close(end)
		result = run(ctx)
	}()
	return func() error {
		cancel()
		select {
		case <-end:
			return result
		case <-time.After(bound):
			return errors.New("it did not return")
		}
	}, end
}
