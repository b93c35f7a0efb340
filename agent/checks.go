package agent

import (
	"context"
	"sync/atomic"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"
	"golang.org/x/sys/unix"

	"github.com/signal-sidecar/signal-sidecar/health"
)

// checks says replies, and counts them by what was said.
type checks struct{ up, down, silent atomic.Int64 }

// answer says the snapshot's line and ends the connection's sending side; the connection is then to linger. Without a
// verdict, or when the peer is gone, it closes the connection and returns false.
func (c *checks) answer(fd int, s *health.Snapshot) (said bool) {
	if !s.Verdict.Known || sendAndFinish(fd, s.AgentLine) != nil {
		c.silent.Add(1)
		_ = unix.Close(fd)
		return false
	}
	if s.Verdict.Healthy {
		c.up.Add(1)
	} else {
		c.down.Add(1)
	}
	return true
}

// sendAndFinish sends the line and FIN in one segment: MSG_MORE holds the line back until the shutdown. Nothing was sent
// before, so the socket's buffer has room for the line.
func sendAndFinish(fd int, line []byte) error {
	if err := unix.Sendto(fd, line, unix.MSG_MORE|unix.MSG_NOSIGNAL, nil); err != nil {
		return err
	}
	return unix.Shutdown(fd, unix.SHUT_WR)
}

// register creates the instruments of a port. Both ports share signal.agent.checks, and the SDK keeps only the callback
// that an instrument was first created with: the callbacks are registered apart from it.
func (c *checks) register(provider metric.MeterProvider, held bool, room *waitingRoom) error {
	meter := provider.Meter("github.com/signal-sidecar/signal-sidecar/agent")
	counter, err := meter.Int64ObservableCounter("signal.agent.checks",
		metric.WithDescription("Number of agent checks by port (agent, or hold: TCP_HOLD_PORT) and by what was said: up, down, or none (there was no verdict, or the peer was gone)."))
	if err != nil {
		return err
	}
	port := "agent"
	if held {
		port = "hold"
		_, err := meter.Int64ObservableGauge("signal.agent.held",
			metric.WithDescription("Connections that are held now (TCP_HOLD_PORT)."),
			metric.WithInt64Callback(func(_ context.Context, o metric.Int64Observer) error {
				o.Observe(room.waiting.Load())
				return nil
			}))
		if err != nil {
			return err
		}
	}
	said := func(reply string) metric.MeasurementOption {
		return metric.WithAttributeSet(attribute.NewSet(attribute.String("port", port), attribute.String("reply", reply)))
	}
	up, down, none := said("up"), said("down"), said("none")
	_, err = meter.RegisterCallback(func(_ context.Context, o metric.Observer) error {
		o.ObserveInt64(counter, c.up.Load(), up)
		o.ObserveInt64(counter, c.down.Load(), down)
		o.ObserveInt64(counter, c.silent.Load(), none)
		return nil
	}, counter)
	return err
}
