package testbed

import (
	"context"
	"io"
	"net/http"
	"strings"
	"testing"
)

// Client uses each connection once, and ignores the proxies that the environment names.
var Client = &http.Client{Transport: &http.Transport{DisableKeepAlives: true}, Timeout: Bound}

// Get returns the status code and the body of a reply, or 0 and the text of the error.
func Get(url string) (code int, body string) { return ask(http.MethodGet, url, "") }

// Post sends a request like curl -d. It fails the test if the server does not accept it.
func Post(t testing.TB, url, text string) {
	t.Helper()
	if code, body := ask(http.MethodPost, url, text); code != http.StatusOK {
		t.Fatalf("POST %s %s: %d %s", url, text, code, body)
	}
}

func ask(method, url, form string) (code int, body string) {
	req, err := http.NewRequestWithContext(context.Background(), method, url, strings.NewReader(form))
	if err != nil {
		return 0, err.Error()
	}
	if method == http.MethodPost {
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	res, err := Client.Do(req)
	if err != nil {
		return 0, err.Error()
	}
	defer res.Body.Close()
	content, err := io.ReadAll(res.Body)
	if err != nil {
		return 0, err.Error()
	}
	return res.StatusCode, string(content)
}
