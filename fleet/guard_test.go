package fleet

import (
	"context"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"go.opentelemetry.io/otel/metric/noop"

	"github.com/signal-sidecar/signal-sidecar/guard"
	"github.com/signal-sidecar/signal-sidecar/signalnode"
	"github.com/signal-sidecar/signal-sidecar/testbed"
)

func newGuard(t *testing.T) (*guard.Guard, *testbed.LogBuffer) {
	t.Helper()
	log := new(testbed.LogBuffer)
	g, err := guard.New(noop.NewMeterProvider(), slog.New(slog.NewTextHandler(log, nil)))
	testbed.Must(t, err)
	return g, log
}

// TestPanicOfARead checks that a panic of one read is logged and shown as a problem, and that the others go on.
func TestPanicOfARead(t *testing.T) {
	t.Parallel()
	consul := signalnode.NewConsul()
	consul.Datacenter("").Put("shard-states/prod/s1", "ready")
	o := serve(t, consul)
	g, log := newGuard(t)
	o.Guard, o.HAProxys, o.CheckTime = g, []*HAProxy{nil}, time.Second
	w := NewWatcher(o)
	stop, _ := testbed.Background(w.Run, bound)
	v := await(t, w.Subscribe(t.Context()), ":prod/s1 none ready")
	if len(v.Problems) != 1 || !strings.HasPrefix(v.Problems[0], "HAProxy: a bug of this sidecar") {
		t.Errorf("problems %q", v.Problems)
	}
	testbed.Must(t, stop())
	if !strings.Contains(log.String(), `part=consul name="fleet: HAProxy"`) || !strings.Contains(log.String(), "followHAProxy") {
		t.Errorf("log: %s", log)
	}
}

// TestPanicOfAView checks that a view that cannot be made is a problem, and that the panic is not repeated at once.
func TestPanicOfAView(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g, _ := newGuard(t)
		s := &sources{o: Options{Guard: g}}
		s.names.set([]string{""}, nil)
		part := source[func(*contents)]{value: func(*contents) { panic("broken") }, ok: true}
		s.datacenters = []*followed{{&datacenter{}, []source[func(*contents)]{part}, func() {}}}
		began := time.Now()
		v := s.present(context.Background(), disagreements{})
		if v == nil || len(v.Problems) != 1 || !strings.HasPrefix(v.Problems[0], "view: a bug") {
			t.Errorf("%+v", v)
		}
		if after := time.Since(began); after != panicPause {
			t.Errorf("after %s", after)
		}
		s.update(func() { s.datacenters = nil }) // would block if the lock were still held
	})
}
