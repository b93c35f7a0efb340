// Package node gives tests a simulated signal node with a status file. It is not part of package testbed, because the
// tests of signalnode import testbed. Only tests import it.
package node

import (
	"path/filepath"
	"testing"

	"github.com/signal-sidecar/signal-sidecar/signalnode"
	"github.com/signal-sidecar/signal-sidecar/testbed"
)

// Node is a simulated signal node and its status file.
type Node struct {
	*signalnode.Node
	StatusPath string
}

// Start returns a healthy node whose status file contains ready. The node ends with the test.
func Start(t testing.TB) *Node {
	t.Helper()
	return StartAt(t, "")
}

// StartAt is like Start, with prosody at an address (host:port).
func StartAt(t testing.TB, prosody string) *Node {
	t.Helper()
	simulated, err := signalnode.StartAt("", prosody)
	testbed.Must(t, err)
	t.Cleanup(func() { _ = simulated.Close() })
	n := &Node{simulated, filepath.Join(t.TempDir(), "shard-status")}
	n.Say(t, "ready")
	return n
}

// Settings returns the settings of a sidecar that probes the node.
func (n *Node) Settings() testbed.Vars {
	return testbed.Vars{"JICOFO_ORIG": n.Jicofo.Origin(), "PROSODY_ORIG": n.Prosody.Origin(), "STATUS_PATH": n.StatusPath}
}

// Say writes a word to the status file, by rename.
func (n *Node) Say(t testing.TB, word string) {
	t.Helper()
	testbed.ReplaceFile(t, n.StatusPath, word+"\n")
}
