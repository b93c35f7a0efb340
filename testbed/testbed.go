// Package testbed holds what the tests of several packages share: waiting with a bound, a log that can be read while it
// is written, a part that runs beside the test, free ports, processes, the binary and a running sidecar, and the real
// programs that a test needs. Only tests import it.
package testbed
