package config

import (
	"errors"
	"fmt"
	"log/slog"
	"math"
	"net"
	"net/url"
	"strconv"
	"strings"
	"time"
	"unicode"
)

// The parsers of settings return an error whose text follows "must be".

const (
	longest    = 365 * 24 * time.Hour
	maxRetries = 100

	minFileSize = 64 << 10 // bytes
	maxFileSize = 1 << 40
)

var (
	errBoolean   = errors.New("a boolean: true/false, t/f, yes/no, on/off or 1/0")
	errPort      = errors.New("a port: a whole number from 0 to 65535")
	errPortOrOff = errors.New("a port, a whole number from 0 to 65535, or off")
	errSeconds   = errors.New("seconds, a number or a duration such as 30s, from 0 to 365 days")
	errPositive  = errors.New("seconds, a number or a duration such as 30s, above 0 and at most 365 days")
	errCount     = errors.New("a whole number above 0, at most 1000000000")
	errService   = errors.New("an origin: http or https, optional user:password@, host and optional port, " +
		"such as http://localhost:8888")
	errOrigin   = errors.New("an origin: http or https, host and optional port, such as http://localhost:8888")
	errHost     = errors.New("a host name or an IP address")
	errNotEmpty = errors.New("not empty")
	errRetries  = fmt.Errorf("a whole number from 0 to %d", maxRetries)
	errTraceURL = errors.New("an http or https URL with a host and {trace_id} in its path, query or fragment, " +
		"such as http://localhost:16686/trace/{trace_id}")
	errFileSize = fmt.Errorf("bytes, a whole number from %d to %d", minFileSize, maxFileSize)
)

func boolean(s string) (bool, error) {
	switch strings.ToLower(strings.TrimSpace(s)) {
	case "true", "t", "yes", "y", "on", "1":
		return true, nil
	case "false", "f", "no", "n", "off", "0":
		return false, nil
	default:
		return false, errBoolean
	}
}

// Port parses a port.
func Port(s string) (int, error) {
	n, err := strconv.ParseUint(strings.TrimSpace(s), 10, 16)
	if err != nil {
		return 0, errPort
	}
	return int(n), nil
}

// off is the value that turns off what has no other value for it.
const off = "off"

// portOrOff returns -1 for off.
func portOrOff(s string) (int, error) {
	if strings.EqualFold(strings.TrimSpace(s), off) {
		return -1, nil
	}
	n, err := Port(s)
	if err != nil {
		return 0, errPortOrOff
	}
	return n, nil
}

// Seconds parses a number of seconds, which may have a fraction, or a Go duration.
func Seconds(s string) (time.Duration, error) {
	s = strings.TrimSpace(s)
	d, err := time.ParseDuration(s)
	if n, notNumber := strconv.ParseFloat(s, 64); notNumber == nil {
		if !(math.Abs(n) <= longest.Seconds()) { // true for NaN too
			return 0, errSeconds
		}
		d, err = time.Duration(math.Round(n*float64(time.Second))), nil
	}
	if err != nil || d < 0 || d > longest {
		return 0, errSeconds
	}
	return d, nil
}

func positiveSeconds(s string) (time.Duration, error) {
	d, err := Seconds(s)
	if err != nil || d == 0 {
		return 0, errPositive
	}
	return d, nil
}

func positiveCount(s string) (float64, error) {
	n, err := strconv.ParseUint(strings.TrimSpace(s), 10, 64)
	if err != nil || n == 0 || n > 1e9 {
		return 0, errCount
	}
	return float64(n), nil
}

// fileSize parses a number of bytes that is usable for a rotated file.
func fileSize(s string) (int64, error) {
	n, err := strconv.ParseInt(strings.TrimSpace(s), 10, 64)
	if err != nil || n < minFileSize || n > maxFileSize {
		return 0, errFileSize
	}
	return n, nil
}

func retries(s string) (int, error) {
	n, err := strconv.ParseUint(strings.TrimSpace(s), 10, 8)
	if err != nil || n > maxRetries {
		return 0, errRetries
	}
	return int(n), nil
}

// Origin parses the origin of a service: scheme and host, and an optional path that precedes the paths of the service.
func Origin(s string) (string, error) {
	u, err := url.Parse(strings.TrimRight(strings.TrimSpace(s), "/"))
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Hostname() == "" || u.User != nil ||
		u.RawQuery != "" || u.ForceQuery || u.Fragment != "" {
		return "", errOrigin
	}
	if p := u.Port(); p != "" {
		if n, err := Port(p); err != nil || n == 0 {
			return "", errOrigin
		}
	}
	if _, err := url.Parse(u.String()); err != nil { // for example with a zone that is not text
		return "", errOrigin
	}
	return u.String(), nil
}

// Service parses the origin of a service, which may contain user:password@ for basic authentication.
func Service(s string) (string, error) {
	u, err := url.Parse(strings.TrimRight(strings.TrimSpace(s), "/"))
	if err != nil {
		return "", errService
	}
	user := u.User
	u.User = nil
	bare, err := Origin(u.String())
	if err != nil {
		return "", errService
	}
	if u, err = url.Parse(bare); err != nil {
		return "", errService
	}
	u.User = user
	return u.String(), nil
}

// withoutUser hides the user and password in a URL, valid or not: everything before the last @.
func withoutUser(s string) string {
	at := strings.LastIndexByte(s, '@')
	if at < 0 {
		return s
	}
	begin := 0
	if i := strings.Index(s, "://"); i >= 0 && i < at {
		begin = i + len("://")
	}
	return s[:begin] + "xxxxx" + s[at:]
}

// traceURL parses the URL at which a trace can be viewed. {trace_id} stands for the ID of the trace. "" means no links.
func traceURL(s string) (string, error) {
	const id = "{trace_id}"
	s = strings.TrimSpace(s)
	if s == "" {
		return "", nil
	}
	u, err := url.Parse(strings.ReplaceAll(s, id, strings.Repeat("0", 32)))
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Hostname() == "" || u.User != nil {
		return "", errTraceURL
	}
	before, _, found := strings.Cut(s, id)
	inHost := strings.Count(before, "/") < 3 && !strings.ContainsAny(before, "?#")
	if !found || inHost || strings.ContainsFunc(s, notInHost) {
		return "", errTraceURL
	}
	if _, err := Origin(u.Scheme + "://" + u.Host); err != nil { // the port
		return "", errTraceURL
	}
	return s, nil
}

func host(s string) (string, error) {
	s = strings.TrimSpace(s)
	if s == "" || net.ParseIP(s) == nil && (strings.ContainsAny(s, `/:?#@[]"\`) || strings.ContainsFunc(s, notInHost)) {
		return "", errHost
	}
	return s, nil
}

func notInHost(r rune) bool { return unicode.IsSpace(r) || unicode.IsControl(r) }

// bindHost parses a host to bind. "" means all interfaces.
func bindHost(s string) (string, error) {
	if strings.TrimSpace(s) == "" {
		return "", nil
	}
	return host(s)
}

// hostOrNone parses a Host header: a host and an optional port. "" means none.
func hostOrNone(s string) (string, error) {
	name := strings.TrimSpace(s)
	if h, p, err := net.SplitHostPort(name); err == nil {
		if _, err := Port(p); err != nil {
			return "", errHost
		}
		if _, err := host(h); err != nil {
			return "", err
		}
		return name, nil
	}
	return bindHost(name)
}

func notEmpty(s string) (string, error) {
	if strings.TrimSpace(s) == "" {
		return "", errNotEmpty
	}
	return s, nil
}

func anything(s string) (string, error) { return strings.TrimSpace(s), nil }

// oneOf returns a parser that accepts one of the words, in any case.
func oneOf[T ~string](words ...T) func(string) (T, error) {
	return func(s string) (T, error) {
		names := make([]string, len(words))
		for i, w := range words {
			if strings.EqualFold(strings.TrimSpace(s), string(w)) {
				return w, nil
			}
			names[i] = string(w)
		}
		return "", errors.New("one of " + strings.Join(names, ", "))
	}
}

func logLevel(s string) (slog.Level, error) {
	word, err := oneOf("debug", "info", "warn", "error")(s)
	if err != nil {
		return 0, err
	}
	var level slog.Level
	return level, level.UnmarshalText([]byte(word))
}
