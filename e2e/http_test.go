package e2e

import (
	"encoding/json"
	"net/http"
	"net/url"
	"testing"

	"github.com/signal-sidecar/signal-sidecar/testbed"
)

// getJSON sends a request to an API and decodes the reply.
func getJSON(t *testing.T, address string, query url.Values, into any) {
	t.Helper()
	address += "?" + query.Encode()
	code, body := testbed.Get(address)
	if code != http.StatusOK {
		t.Fatalf("GET %s: %d %s", address, code, body)
	}
	if err := json.Unmarshal([]byte(body), into); err != nil {
		t.Fatalf("GET %s: %v: %s", address, err, body)
	}
}
