package collector

import (
	"net/http"
	"net/url"
)

// hideUser moves the user and password of a request's URL to its Authorization header, so that neither spans nor the
// Referer header show them. net/http keeps the header for redirects within the host.
func hideUser(req *http.Request) {
	if user := req.URL.User; user != nil {
		password, _ := user.Password()
		req.SetBasicAuth(user.Username(), password)
		req.URL.User = nil
	}
}

// withoutUser returns a URL without its user and password.
func withoutUser(address string) string {
	u, err := url.Parse(address)
	if err != nil || u.User == nil {
		return address
	}
	u.User = nil
	return u.String()
}
