// Package faults_test holds the fault matrix: rows of what is done to the binary and to what it depends on, and of what
// must be seen then. docs/faults.md is generated from the rows.
package faults_test

import (
	"testing"

	"github.com/signal-sidecar/signal-sidecar/testbed"
)

func TestMain(m *testing.M) { testbed.Main(m) }

// vars are environment variables.
type vars = testbed.Vars
