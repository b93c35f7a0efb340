package health_test

import (
	"context"
	"go/ast"
	"go/parser"
	"go/token"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/signal-sidecar/signal-sidecar/health"
)

// TestStateReasons compares the list with the results of every combination of causes, with at most one for each part of
// the node: at the start, after the node was healthy, and after it recovers.
func TestStateReasons(t *testing.T) {
	byPart := map[part][]cause{}
	for _, c := range causes {
		if !c.damped() {
			byPart[c.parts[0]] = append(byPart[c.parts[0]], c)
		}
	}
	found := map[health.StateReason]bool{}
	see := func(v health.Verdict) { found[health.StateReason{State: v.State(), Reason: v.RootReason()}] = true }
	var combine func(n node, parts []part)
	combine = func(n node, parts []part) {
		if len(parts) > 0 {
			combine(n, parts[1:])
			for _, c := range byPart[parts[0]] {
				changed := n
				c.apply(&changed)
				combine(changed, parts[1:])
			}
			return
		}
		for _, healthyBefore := range []bool{false, true} {
			m := health.NewMonitor(defaultConfig())
			if healthyBefore {
				observeNode(m, epoch, workingNode())
			}
			observeNode(m, epoch, n)
			see(m.Current().Verdict)
			observeNode(m, epoch.Add(time.Second), workingNode())
			see(m.Current().Verdict)
		}
	}
	combine(workingNode(), everyPart)
	declared := map[health.StateReason]bool{}
	for _, sr := range health.StateReasons() {
		if declared[sr] {
			t.Errorf("%v is declared twice", sr)
		}
		declared[sr] = true
		if !found[sr] {
			t.Errorf("no verdict is %v", sr)
		}
	}
	for sr := range found {
		if !declared[sr] {
			t.Errorf("%v is not declared", sr)
		}
	}
}

// observeNode makes the monitor observe all parts of a node at one time.
func observeNode(m *health.Monitor, at time.Time, n node) {
	for _, p := range everyPart {
		m.Observe(context.Background(), n.observe(p, at))
	}
}

// TestFailuresAreListed compares the list with the constants in the source.
func TestFailuresAreListed(t *testing.T) {
	file, err := parser.ParseFile(token.NewFileSet(), "observation.go", nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	var declared []health.Failure
	ast.Inspect(file, func(n ast.Node) bool {
		spec, ok := n.(*ast.ValueSpec)
		if !ok {
			return true
		}
		if kind, ok := spec.Type.(*ast.Ident); !ok || kind.Name != "Failure" {
			return true
		}
		value, err := strconv.Unquote(spec.Values[0].(*ast.BasicLit).Value)
		if err != nil {
			t.Fatal(err)
		}
		if value != string(health.NoFailure) {
			declared = append(declared, health.Failure(value))
		}
		return true
	})
	if len(declared) < 5 || !slices.Equal(declared, health.Failures) {
		t.Errorf("declared are %v, listed %v", declared, health.Failures)
	}
}
