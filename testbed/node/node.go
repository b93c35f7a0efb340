// Package node gives tests a simulated signal node with a status file. It is not in package testbed because the tests of
// signalnode import that. Only tests import it.
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

// Start returns a healthy node whose status file says ready; it ends with the test.
func Start(t testing.TB) *Node {
	t.Helper()
	return StartAt(t, "")
}

// StartAt does so with prosody at an address, host:port.
func StartAt(t testing.TB, prosody string) *Node {
	t.Helper()
	simulated, err := signalnode.StartAt("", prosody)
	testbed.Must(t, err)
	t.Cleanup(func() { _ = simulated.Close() })
	n := &Node{simulated, filepath.Join(t.TempDir(), "shard-status")}
	n.Say(t, "ready")
	return n
}

// Settings has a sidecar look after the node.
func (n *Node) Settings() testbed.Vars {
	return testbed.Vars{"JICOFO_ORIG": n.Jicofo.Origin(), "PROSODY_ORIG": n.Prosody.Origin(), "STATUS_PATH": n.StatusPath}
}

// Say puts a word into the status file, by rename.
func (n *Node) Say(t testing.TB, word string) {
	t.Helper()
	testbed.ReplaceFile(t, n.StatusPath, word+"\n")
}
