// Package testbed holds what the tests of several packages share: waiting with a bound, a log that is read while it is
// written, a part that runs beside the test, free ports, a process, the binary and the sidecar that it becomes, and the
// real programs that a test needs. Only tests import it.
package testbed
