package testbed

import (
	"context"
	"io"
	"net"
	"time"
)

// Ask performs one agent check. It returns the whole reply, up to the end of the connection.
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
