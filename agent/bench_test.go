package agent

import (
	"io"
	"net"
	"testing"
)

// BenchmarkCheck is one agent check: connect, read the line to its end, close. It includes the cost of the client.
func BenchmarkCheck(b *testing.B) {
	b.ReportAllocs()
	r := startAgent(b, setup{config: rules})
	r.upReady()
	var line [64]byte
	for b.Loop() {
		conn, err := net.Dial("tcp", r.address)
		if err != nil {
			b.Fatal(err)
		}
		n := 0
		for err == nil {
			var read int
			read, err = conn.Read(line[n:])
			n += read
		}
		if err != io.EOF || string(line[:n]) != "up ready 100%\n" {
			b.Fatalf("got %q, %v", line[:n], err)
		}
		conn.Close()
	}
}
