package agent

import (
	"context"
	"net"
	"net/netip"
	"slices"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"
)

// refusedPause is the least time between two log lines about refused connections.
const refusedPause = time.Minute

// refused counts the connections that are closed because their address is not in Allow. Only the goroutine that accepts
// uses it.
type refused struct {
	count    metric.Int64Counter
	port     metric.MeasurementOption
	logged   time.Time
	unlogged int // connections since the latest log line
}

// create creates the counter with the value 0.
func (r *refused) create(meter metric.Meter, port string) (err error) {
	r.port = metric.WithAttributes(attribute.String("port", port))
	r.count, err = meter.Int64Counter("signal.agent.refused", metric.WithUnit("{connection}"),
		metric.WithDescription("Number of agent connections that were closed because TCP_ALLOW does not list their address, "+
			"by port (agent, or hold: TCP_HOLD_PORT)."))
	r.count.Add(context.Background(), 0, r.port)
	return err
}

// allows reports whether the peer of a connection may get a reply.
func (a *Agent) allows(conn net.Conn) bool {
	if len(a.Allow) == 0 {
		return true
	}
	peer := addressOf(conn)
	return slices.ContainsFunc(a.Allow, func(network netip.Prefix) bool { return network.Contains(peer) })
}

// addressOf returns the address of the peer: an IPv4 address also if the listener is an IPv6 one.
func addressOf(conn net.Conn) netip.Addr {
	peer, _ := conn.RemoteAddr().(*net.TCPAddr) // AddrPort returns the zero value for nil
	return peer.AddrPort().Addr().Unmap().WithZone("")
}

// refuse closes a connection that Allow does not list.
func (a *Agent) refuse(ctx context.Context, conn net.Conn) {
	_ = conn.Close()
	r := &a.refused
	r.count.Add(ctx, 1, r.port)
	r.unlogged++
	if now := time.Now(); now.Sub(r.logged) >= refusedPause {
		a.Logger.WarnContext(ctx, "agent connections are refused: TCP_ALLOW does not list the address",
			"address", addressOf(conn).String(), "connections", r.unlogged)
		r.logged, r.unlogged = now, 0
	}
}
