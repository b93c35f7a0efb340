package config

import (
	"net"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"
)

// FuzzSettings passes arbitrary texts to every parser. No parser may panic, an accepted value must keep its promise and
// be accepted with white space around it, and an error must have one line.
func FuzzSettings(f *testing.F) {
	for _, seed := range []string{
		"", " ", "0", "-0", "1", "-1", "65535", "65536", "1e3", "1e-300", "NaN", "-Inf", "0x1p-2", "1_0", "30s", "-30s",
		"1h1h", "8760h", "8760h1ns",
		"31536000", "true", "ON", "off", "http://localhost:8888", "https://[::1]:1/a/",
		"http://[fe80::1%25eth0]", "http://[::%25\xb3]",
		"HTTP://a", "http://u:p@a", "u:p@a", "http://a:0", "http:a", "a:1", ":0", "[::1]:2", "::1",
		"jicofo", "SOFT", "debug", "text", "\x00", "\xff", "a\nb", "１２",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, s string) {
		parse(t, s, boolean, nil)
		parse(t, s, Port, func(n int) bool { return n >= 0 && n <= 65535 })
		parse(t, s, portOrOff, func(n int) bool { return n >= -1 && n <= 65535 })
		parse(t, s, Seconds, func(d time.Duration) bool { return d >= 0 && d <= longest })
		parse(t, s, positiveSeconds, func(d time.Duration) bool { return d > 0 && d <= longest })
		parse(t, s, positiveCount, func(n float64) bool { return n >= 1 && n <= 1e9 && n == float64(int(n)) })
		parse(t, s, retries, func(n int) bool { return n >= 0 && n <= maxRetries })
		parse(t, s, Origin, usableOrigin)
		parse(t, s, Service, nil)
		if masked := withoutUser(s); strings.Contains(masked, "@") && !strings.Contains(masked, "xxxxx@") {
			t.Errorf("%q is shown as %q", s, masked)
		}
		parse(t, s, host, func(h string) bool { return h != "" && !strings.ContainsAny(h, " /@") })
		parse(t, s, bindHost, func(h string) bool { return !strings.ContainsAny(h, " /@") })
		parse(t, s, hostOrNone, nil)
		parse(t, s, anything, nil)
		parse(t, s, notEmpty, func(v string) bool { return v != "" })
		parse(t, s, oneOf("json", "text"), func(v string) bool { return slices.Contains([]string{"json", "text"}, v) })
		parse(t, s, logLevel, nil)
	})
}

// parse checks one parser with one text.
func parse[T comparable](t *testing.T, s string, parser func(string) (T, error), promise func(T) bool) {
	t.Helper()
	v, err := parser(s)
	var zero T
	if err != nil {
		if strings.TrimSpace(err.Error()) == "" || strings.Contains(err.Error(), "\n") || v != zero {
			t.Errorf("%q is refused with %v and %q", s, v, err)
		}
		return
	}
	if promise != nil && !promise(v) {
		t.Errorf("%q is accepted as %v", s, v)
	}
	if _, err := parser(" " + s + "\t"); err != nil {
		t.Errorf("%q is accepted, but not with white space around it: %v", s, err)
	}
}

// usableOrigin reports whether a path can be appended to the origin.
func usableOrigin(o string) bool {
	u, err := url.Parse(o + "/about/health")
	return err == nil && u.Host != "" && (u.Scheme == "http" || u.Scheme == "https") &&
		strings.HasSuffix(u.Path, "/about/health") && u.RawQuery == "" && !strings.HasSuffix(o, "/")
}

// TestBooleans checks every spelling, with each letter in both cases.
func TestBooleans(t *testing.T) {
	for spelling, want := range map[string]bool{
		"true": true, "t": true, "yes": true, "on": true, "1": true,
		"false": false, "f": false, "no": false, "off": false, "0": false,
	} {
		for bits := range 1 << len(spelling) { // each letter in lower or upper case
			s := []byte(spelling)
			for i := range s {
				if bits>>i&1 == 1 {
					s[i] = strings.ToUpper(spelling)[i]
				}
			}
			if got, err := boolean(string(s)); got != want || err != nil {
				t.Errorf("%s: %t, %v", s, got, err)
			}
		}
	}
}

func TestSeconds(t *testing.T) {
	for text, want := range map[string]time.Duration{
		"5": 5 * time.Second, "0": 0, "0.25": 250 * time.Millisecond, ".5": 500 * time.Millisecond, "1e-3": time.Millisecond,
		"30s": 30 * time.Second, "1500ms": 1500 * time.Millisecond, "1m30s": 90 * time.Second, "1.5h": 90 * time.Minute,
		"0.000000001": 1, "31536000": longest, "8760h": longest,
	} {
		if got, err := Seconds(text); got != want || err != nil {
			t.Errorf("%q: %s, %v, want %s", text, got, err, want)
		}
	}
}

func TestJoinAddress(t *testing.T) {
	for host, want := range map[string]string{"": ":6000", "127.0.0.1": "127.0.0.1:6000", "::1": "[::1]:6000"} {
		if got := JoinAddress(host, 6000); got != want {
			t.Errorf("%q: %s, want %s", host, got, want)
		}
		if _, err := net.ResolveTCPAddr("tcp", want); err != nil {
			t.Error(err)
		}
	}
}
