//go:build !linux

package faults_test

import (
	"net"
	"testing"

	"github.com/signal-sidecar/signal-sidecar/testbed"
)

func vanish(t *testing.T, _ *net.TCPConn) { t.Helper(); testbed.Missing(t, "Linux") }

func exhaust(t *testing.T, _ *shard) { t.Helper(); testbed.Missing(t, "Linux") }

func relieve(*testing.T, *shard) {}

func hang(t *testing.T, _ string) (end func()) { t.Helper(); testbed.Missing(t, "Linux"); return nil }
