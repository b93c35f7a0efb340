package testbed

import (
	"fmt"
	"strconv"
	"strings"
	"testing"
)

// EnvironmentCase is a file for EnvironmentFile= in a unit, and how systemd reads it.
type EnvironmentCase struct {
	File    string
	Refused bool     // systemd ignores the whole file
	Want    []string // NAME=value, in the order of the table
	Notices int      // number of lines that deserve a notice
	Since   int      // first version of systemd that reads it so; 0 means every version
}

// EnvironmentCases reads the table of cases. A row is a file as a Go string, " -> ", and then the result: NAME="value"
// for each variable, refused, notices=N, and since=VERSION, separated by spaces. Lines that begin with # are comments.
func EnvironmentCases(t testing.TB, path string) (cases []EnvironmentCase) {
	t.Helper()
	for line := range strings.Lines(Contents(path)) {
		line = strings.TrimSpace(line)
		if line == "" || line[0] == '#' {
			continue
		}
		quoted, err := strconv.QuotedPrefix(line)
		Must(t, err)
		result, found := strings.CutPrefix(line[len(quoted):], " ->")
		if !found {
			t.Fatalf("%s: no -> in %s", path, line)
		}
		file, err := strconv.Unquote(quoted)
		Must(t, err)
		c := EnvironmentCase{File: file}
		Must(t, c.parse(result))
		cases = append(cases, c)
	}
	if len(cases) == 0 {
		t.Fatalf("%s has no rows", path)
	}
	return cases
}

func (c *EnvironmentCase) parse(result string) (err error) {
	for result = strings.TrimSpace(result); result != ""; result = strings.TrimSpace(result) {
		name, after, assigned := strings.Cut(result, "=")
		switch {
		case strings.HasPrefix(result, "refused"):
			c.Refused, result = true, strings.TrimPrefix(result, "refused")
		case !assigned:
			return fmt.Errorf("cannot read %q", result)
		case name == "notices":
			_, err = fmt.Sscan(after, &c.Notices)
			_, result, _ = strings.Cut(after, " ")
		case name == "since":
			_, err = fmt.Sscan(after, &c.Since)
			_, result, _ = strings.Cut(after, " ")
		default:
			quoted, problem := strconv.QuotedPrefix(after)
			if problem != nil {
				return fmt.Errorf("cannot read %q: %w", result, problem)
			}
			value, problem := strconv.Unquote(quoted)
			c.Want, err = append(c.Want, name+"="+value), problem
			result = after[len(quoted):]
		}
		if err != nil {
			return err
		}
	}
	return nil
}
