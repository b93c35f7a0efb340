package config

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"math"
	"net/url"
	"os"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// The parsers of OTEL_* variables return the value in its usual spelling. The text of their errors follows "must be".

const (
	maxPEM = 1 << 20 // bytes
	// maxQuantity is the largest queue or batch. The SDK allocates a queue at the start.
	maxQuantity = 1_000_000
)

var (
	errMilliseconds = errors.New("milliseconds, a whole number from 1 to 2147483647")
	errQuantity     = fmt.Errorf("a whole number from 1 to %d", maxQuantity)
	errLimit        = errors.New("a whole number from 0 to 2147483647, or -1 for no limit")
	errHeaders      = errors.New("comma-separated key=value pairs, the keys names of headers, the values percent-encoded")
	errAttributes   = errors.New("comma-separated key=value pairs, the keys printable ASCII without white space, " +
		"the values percent-encoded UTF-8")
	errPEM = errors.New("a PEM file that holds a certificate")
)

func wholeNumber(s string, low, high int64, accepted error) (string, error) {
	n, err := strconv.ParseInt(strings.TrimSpace(s), 10, 64)
	if err != nil || n < low || n > high {
		return "", accepted
	}
	return strconv.FormatInt(n, 10), nil
}

func milliseconds(s string) (string, error) { return wholeNumber(s, 1, math.MaxInt32, errMilliseconds) }

func quantity(s string) (string, error) { return wholeNumber(s, 1, maxQuantity, errQuantity) }

func limit(s string) (string, error) { return wholeNumber(s, -1, math.MaxInt32, errLimit) }

func portText(s string) (string, error) {
	n, err := Port(s)
	if err != nil {
		return "", err
	}
	return strconv.Itoa(n), nil
}

func ratio(s string) (string, error) {
	s = strings.TrimSpace(s)
	if n, err := strconv.ParseFloat(s, 64); err != nil || !(n >= 0 && n <= 1) {
		return "", errors.New("a number from 0 to 1")
	}
	return s, nil
}

func otlpEndpoint(s string) (string, error) {
	s = strings.TrimSpace(s)
	if u, err := url.Parse(s); err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" {
		return "", errors.New("a URL with http or https and a host, such as http://localhost:4318")
	}
	return s, nil
}

// otlpHeaders parses key=value pairs (W3C Baggage).
func otlpHeaders(s string) (string, error) {
	for pair := range strings.SplitSeq(s, ",") {
		key, text, found := strings.Cut(pair, "=")
		decoded, err := url.PathUnescape(text)
		if !found || err != nil || !isHeaderName(strings.TrimSpace(key)) || strings.ContainsFunc(decoded, notInHeader) {
			return "", errHeaders
		}
	}
	return s, nil
}

// isHeaderName reports whether s is a token (RFC 9110).
func isHeaderName(s string) bool {
	return s != "" && !strings.ContainsFunc(s, func(r rune) bool {
		return r <= ' ' || r > '~' || strings.ContainsRune("\"(),/:;<=>?@[\\]{}", r)
	})
}

func notInHeader(r rune) bool { return r != '\t' && unicode.IsControl(r) }

// resourceAttributes parses key=value pairs. With a key that is not ASCII, /metrics would have no target_info.
func resourceAttributes(s string) (string, error) {
	for pair := range strings.SplitSeq(s, ",") {
		if _, _, ok := resourceAttribute(pair); !ok {
			return "", errAttributes
		}
	}
	return s, nil
}

// resourceAttributeMap returns the valid attributes of a list.
func resourceAttributeMap(s string) map[string]string {
	all := map[string]string{}
	for pair := range strings.SplitSeq(s, ",") {
		if key, text, ok := resourceAttribute(pair); ok {
			all[key] = text
		}
	}
	return all
}

// resourceAttribute parses key=value, with the value in percent encoding.
func resourceAttribute(pair string) (key, text string, ok bool) {
	key, text, found := strings.Cut(pair, "=")
	key = strings.TrimSpace(key)
	text, err := url.PathUnescape(strings.TrimSpace(text))
	ok = found && err == nil && utf8.ValidString(text) && key != "" &&
		!strings.ContainsFunc(key, func(r rune) bool { return r <= ' ' || r > '~' })
	return key, text, ok
}

func utf8Text(s string) (string, error) {
	if !utf8.ValidString(s) {
		return "", errors.New("UTF-8")
	}
	return s, nil
}

func readableFile(path string) error {
	_, err := readPEM(path)
	return err
}

func readPEM(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, errors.New("a file that can be read")
	}
	defer f.Close()
	content, err := io.ReadAll(io.LimitReader(f, maxPEM))
	if err != nil {
		return nil, errors.New("a file that can be read")
	}
	return content, nil
}

// certificates checks the path of a file with certificates of authorities.
func certificates(path string) (string, error) {
	content, err := readPEM(path)
	if err != nil {
		return "", err
	}
	if !x509.NewCertPool().AppendCertsFromPEM(content) {
		return "", errPEM
	}
	return path, nil
}

func isKeyPair(certificate, key string) bool {
	_, err := tls.LoadX509KeyPair(certificate, key)
	return err == nil
}
