package config

import (
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/signal-sidecar/signal-sidecar/testbed"
)

// TestSystemdEnvironment parses each file of the table that deploy/systemd also tests with a real systemd.
func TestSystemdEnvironment(t *testing.T) {
	t.Parallel()
	for _, c := range testbed.EnvironmentCases(t, "../deploy/systemd/testdata/environment.txt") {
		got, err := parseSystemd(c.File)
		if (err != nil) != c.Refused {
			t.Errorf("%q: error %v, want one: %t", c.File, err, c.Refused)
		}
		if err != nil {
			continue
		}
		want := map[string]string{}
		for _, variable := range c.Want {
			name, value, _ := strings.Cut(variable, "=")
			want[name] = value
		}
		if !maps.Equal(got.values, want) || len(got.notices) != c.Notices {
			t.Errorf("%q:\ngot  %q, notices %q\nwant %q, %d notices", c.File, got.values, got.notices, want, c.Notices)
		}
	}
}

// TestDotenv compares with the results of the original's dotenv, and checks that errors name the lines.
func TestDotenv(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		file string
		want []string
		err  string
	}{
		{"A=1\nB = 2 \n\n  C=3\r\nD=4\rE=", []string{"A=1", "B=2", "C=3", "D=4", "E="}, ""},
		{"\uFEFFA=1\n", []string{"A=1"}, ""},
		{"\uFEFF# comment\nA=1", []string{"A=1"}, ""},
		{"# A=1\n  # B=2\nC=a#b\nD=a # b", []string{"C=a#b", "D=a # b"}, ""},
		{"A=/opt/$NODE/x\nB=\"p$1w\"\nC='${A}'\nD=a\\$b\\c", []string{"A=/opt/$NODE/x", "B=p$1w", "C=${A}", `D=a\$b\c`}, ""},
		{"A=\" a b \"\nB=' a b '\nC=\"a\\nb\"\nD='a\\nb'\nE=\"a\"b\"\nF=a'b'\nG=\"\"",
			[]string{"A= a b ", "B= a b ", "C=a\nb", `D=a\nb`, `E=a"b`, "F=a'b'", "G="}, ""},
		{"export A=1\n  export  B='2'\nexport=3", []string{"A=1", "B=2", "export=3"}, ""},
		{"a.b-c_1=x\nA=b=c", []string{"a.b-c_1=x", "A=b=c"}, ""},
		{"A=1\nA=2", []string{"A=2"}, ""},
		{"A=`a`", []string{"A=`a`"}, ""},
		{"A=1\nsecret words\nB=2", nil, "line 2 is neither KEY=value nor a # comment"},
		{"; A=1", nil, "line 1 is neither"},
		{"A=1\r\n=secret", nil, "line 2 is neither"},
		{"A=1\n\nB=\"secret\nC=3", nil, "line 3 has a value that begins with a quote"},
		{"A='secret\" x", nil, "line 1 has a value that begins with a quote"},
		{"A=\"", nil, "line 1 has a value that begins with a quote"},
	} {
		values, err := parseDotenv(c.file)
		if c.err != "" {
			if err == nil || !strings.HasPrefix(err.Error(), c.err) || strings.Contains(err.Error(), "secret") {
				t.Errorf("%q: error %v, want %q", c.file, err, c.err)
			}
			continue
		}
		var got []string
		for _, name := range slices.Sorted(maps.Keys(values)) {
			got = append(got, name+"="+values[name])
		}
		slices.Sort(c.want)
		if err != nil || !slices.Equal(got, c.want) {
			t.Errorf("%q: %q, %v; want %q", c.file, got, err, c.want)
		}
	}
}
