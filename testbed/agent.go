package testbed

import (
	"context"
	"io"
	"net"
	"time"
)

// Ask is one agent check: what the agent says until it closes.
func Ask(address string) (string, error) {
	deadline := time.Now().Add(Bound)
	conn, err := (&net.Dialer{Deadline: deadline}).DialContext(context.Background(), "tcp", address)
	if err != nil {
		return "", err
	}
	defer conn.Close()
	_ = conn.SetDeadline(deadline)
	said, err := io.ReadAll(conn)
	return string(said), err
}
