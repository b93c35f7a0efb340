package e2e

import (
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"testing"
)

// web uses each connection once, and asks directly whatever the environment says of proxies.
var web = &http.Client{Transport: &http.Transport{DisableKeepAlives: true}, Timeout: bound}

// get returns an answer's code and body; 0 and the error's text without one.
func get(address string) (code int, body string) {
	res, err := web.Get(address)
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

// getJSON asks an API, and reads its answer.
func getJSON(t *testing.T, address string, query url.Values, into any) {
	t.Helper()
	address += "?" + query.Encode()
	code, body := get(address)
	if code != http.StatusOK {
		t.Fatalf("GET %s: %d %s", address, code, body)
	}
	if err := json.Unmarshal([]byte(body), into); err != nil {
		t.Fatalf("GET %s: %v: %s", address, err, body)
	}
}
