package errtext

import (
	"encoding/json"
	"errors"
	"net"
	"net/url"
	"strings"
)

// Request describes why a request to a service failed, as a sentence without a full stop: "Consul does not accept
// connections at 127.0.0.1:8500". where is a URL to name if the error does not say which address failed, "" for none.
func Request(service, where string, err error) string {
	address := hostOf(where)
	if request := (*url.Error)(nil); errors.As(err, &request) {
		err = request.Err
		address = hostOf(request.URL)
		if where == "" {
			where = address
		}
	}
	if own := (*Error)(nil); errors.As(err, &own) {
		return err.Error()
	}
	if op := (*net.OpError)(nil); errors.As(err, &op) && op.Net == "unix" && op.Addr != nil {
		address = op.Addr.String()
	}
	at := ""
	if where != "" {
		at = " at " + where
	}
	var syntax *json.SyntaxError
	var kind *json.UnmarshalTypeError
	text := err.Error()
	switch {
	case followsName(text):
		return service + at + " " + text
	case errors.As(err, &syntax), errors.As(err, &kind):
		return service + at + " sent no valid JSON"
	}
	if known, ok := peer(err, address); ok {
		return service + " " + known
	}
	if at == "" {
		return text
	}
	return service + at + ": " + text
}

// Address returns host:port of an http or https URL.
func Address(u *url.URL) string { return net.JoinHostPort(u.Hostname(), Port(u)) }

// Port returns the port of an http or https URL.
func Port(u *url.URL) string {
	switch port := u.Port(); {
	case port != "":
		return port
	case u.Scheme == "https":
		return "443"
	default:
		return "80"
	}
}

// hostOf returns host:port of a URL, the path of a socket, or the text if it has neither.
func hostOf(text string) string {
	switch u, err := url.Parse(text); {
	case err != nil:
		return text
	case u.Host != "":
		return u.Host
	case u.Scheme == "unix":
		return u.Path
	default:
		return text
	}
}

// followsName reports whether the text of an error follows the name of the service, as in "answered 403".
func followsName(text string) bool {
	for _, verb := range []string{"answered ", "gave ", "sent "} {
		if strings.HasPrefix(text, verb) {
			return true
		}
	}
	return false
}

// Error is an error with a text for operators.
type Error struct {
	Text string
	Err  error // the original error
}

// Error returns the text.
func (e *Error) Error() string { return e.Text }

// Unwrap returns the original error.
func (e *Error) Unwrap() error { return e.Err }
