package testbed_test

import (
	"maps"
	"slices"
	"testing"

	"github.com/signal-sidecar/signal-sidecar/testbed"
)

// TestVars checks that With does not change its receiver or its argument, also if they are nil, and that Environ
// returns the whole environment of a process.
func TestVars(t *testing.T) {
	first := testbed.Vars{"A": "1", "B": "2"}
	if got := first.With(testbed.Vars{"B": "3"}); !maps.Equal(got, testbed.Vars{"A": "1", "B": "3"}) || first["B"] != "2" {
		t.Errorf("%v on top of %v", got, first)
	}
	got := testbed.Vars(nil).With(nil).With(testbed.Vars{"A": "1"})
	t.Setenv("PATH", "/bin")
	if environ := slices.Sorted(slices.Values(got.Environ())); !slices.Equal(environ,
		[]string{"A=1", "HOME=/nonexistent", "PATH=/bin"}) {
		t.Errorf("the environment is %q", environ)
	}
}
