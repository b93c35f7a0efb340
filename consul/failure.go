package consul

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"net/url"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"

	"github.com/signal-sidecar/signal-sidecar/errtext"
	"github.com/signal-sidecar/signal-sidecar/health"
)

// Kind is a kind of failure.
type Kind string

// The kinds of failures.
const (
	KindUnreachable   Kind = "unreachable"    // no connection, or it broke
	KindTimeout       Kind = "timeout"        // no complete answer in time
	KindToken         Kind = "token"          // the file of the token cannot be read
	KindDenied        Kind = "denied"         // 401 or 403
	KindOverloaded    Kind = "overloaded"     // 429
	KindServerError   Kind = "server_error"   // another status, such as 500 without a leader
	KindInvalidAnswer Kind = "invalid_answer" // a redirect, HTML, bad JSON, an index of 0, or too large
	KindMissing       Kind = "missing"        // there is no such key
	KindValue         Kind = "value"          // the value is no known word
	KindFile          Kind = "file"           // the status file cannot be written
	KindConflict      Kind = "conflict"       // another client has changed the key of the report
)

// requestKinds are the kinds of failures of a request.
var requestKinds = []Kind{
	KindUnreachable, KindTimeout, KindToken, KindDenied, KindOverloaded, KindServerError, KindInvalidAnswer,
}

// kindOf returns the kind of a failed request.
func kindOf(err error) Kind {
	var status *StatusError
	var request *url.Error
	switch {
	case errors.Is(err, errHang):
		return KindTimeout
	case errors.Is(err, errToken):
		return KindToken
	case errors.As(err, &status):
		return status.kind()
	case errors.Is(err, ErrHTML), errors.Is(err, ErrTooLarge), errors.Is(err, errIndex):
		return KindInvalidAnswer
	case errors.As(err, &request):
		return KindUnreachable
	default:
		return KindInvalidAnswer
	}
}

func (e *StatusError) kind() Kind {
	switch {
	case e.Code == http.StatusUnauthorized, e.Code == http.StatusForbidden:
		return KindDenied
	case e.Code == http.StatusTooManyRequests:
		return KindOverloaded
	case e.Code < http.StatusBadRequest:
		return KindInvalidAnswer
	default:
		return KindServerError
	}
}

// retryAfterOf returns how long Consul asked to wait before the next request, 0 if it did not. The time of the back-off
// is to be added: all clients may have been given the same time.
func retryAfterOf(err error) time.Duration {
	if status := (*StatusError)(nil); errors.As(err, &status) {
		return status.RetryAfter
	}
	return 0
}

// outcomes counts and logs the outcomes of one operation. It logs a change, and not each failure.
type outcomes struct {
	success  metric.Int64Gauge
	failures metric.Int64Counter
	set      attribute.Set // the operation
	log      *slog.Logger

	last  Kind // of the latest failure, "" if it worked
	count int  // consecutive failures
	since time.Time
}

// newOutcomes returns the outcomes of an operation. It sets the counter of each kind to 0, so that a rate includes the
// first failure.
func newOutcomes(in instruments, operation string, log *slog.Logger, kinds ...Kind) *outcomes {
	set := attribute.NewSet(attribute.String("operation", operation))
	for _, kind := range append(kinds, requestKinds...) {
		in.failures.Add(context.Background(), 0, metric.WithAttributeSet(set),
			metric.WithAttributes(attribute.String("kind", string(kind))))
	}
	return &outcomes{success: in.success, failures: in.failures, set: set, log: log.With("operation", operation)}
}

// failed records a failure.
func (o *outcomes) failed(ctx context.Context, kind Kind, err error) {
	o.failures.Add(ctx, 1, metric.WithAttributeSet(o.set),
		metric.WithAttributes(attribute.String("kind", string(kind))))
	o.success.Record(ctx, 0, metric.WithAttributeSet(o.set))
	switch {
	case o.last == "":
		o.since, o.count = time.Now(), 0
		o.log.WarnContext(ctx, "consul began to fail",
			"kind", string(kind), "detail", describe(kind, err), "error", message(err))
	case o.last != kind:
		o.log.WarnContext(ctx, "consul fails differently",
			"kind", string(kind), "detail", describe(kind, err), "error", message(err), "failures", o.count)
	}
	o.last = kind
	o.count++
}

// worked records a success.
func (o *outcomes) worked(ctx context.Context) {
	o.success.Record(ctx, 1, metric.WithAttributeSet(o.set))
	if o.last != "" {
		o.log.InfoContext(ctx, "consul works again", "failures", o.count, "seconds", float64(time.Since(o.since).Milliseconds())/1e3)
	}
	o.last = ""
}

// describe returns the text of a failure in an operator's words, in one line.
func describe(kind Kind, err error) string {
	if kind == KindFile {
		return health.OneLine(cut("the status file cannot be written: " + errtext.File(err)))
	}
	return health.OneLine(cut(errtext.Request("Consul", "", err)))
}

// message returns the text of an error in one line.
func message(err error) string { return health.OneLine(cut(err.Error())) }
