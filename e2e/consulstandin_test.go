package e2e

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/signal-sidecar/signal-sidecar/signalnode"
	"github.com/signal-sidecar/signal-sidecar/testbed"
)

// consulScript is what TestConsulStandIn asks of both, one request a row: method, path, body. {KEY} is the ModifyIndex
// of a key.
var consulScript = strings.ReplaceAll(`
GET /v1/catalog/datacenters
GET /v1/kv/
GET /v1/kv/none
GET /v1/kv/?keys
GET /v1/kv/?recurse
GET /v1/kv/none/?keys
PUT /v1/kv/
PUT /v1/kv/s/p/1 ready
PUT /v1/kv/s/p/1 ready
PUT /v1/kv/s/p/1 drain
PUT /v1/kv/s/p/2
PUT /v1/kv/s/p/2?flags=7 ready
PUT /v1/kv/s/p/2?flags=7 ready
PUT /v1/kv/s/p/2?flags=x ready
PUT /v1/kv/s/q/1 ready
PUT /v1/kv/s/p%20odd%2Fname%C3%A9 ready
PUT /v1/kv/t ready
GET /v1/kv/s/p/1
GET /v1/kv/s/p/1?raw
GET /v1/kv/s/p/1?stale
GET /v1/kv/s/p/1?consistent
GET /v1/kv/s/p/1?stale&consistent
GET /v1/kv/s/p/1?dc=dc1
GET /v1/kv/s/p/1?dc=dc9
PUT /v1/kv/s/p/1?dc=dc9 drain
GET /v1/kv/s/p/1?index=x
GET /v1/kv/s/p/1?wait=x
GET /v1/kv/s/p/1?index=1
GET /v1/kv/s/p/2
GET /v1/kv/s/p?recurse
GET /v1/kv/s/p/?recurse
GET /v1/kv/?keys
GET /v1/kv/s/?keys&separator=/
GET /v1/kv/s/p?keys&separator=/
GET /v1/kv/?keys&separator=/
POST /v1/kv/t
PUT /v1/kv/t?cas=0 drain
PUT /v1/kv/t?cas={t} drain
PUT /v1/kv/t?cas=1 ready
PUT /v1/kv/t?cas=x ready
GET /v1/kv/t
PUT /v1/kv/new?cas=0 ready
PUT /v1/kv/newer?cas=5 ready
DELETE /v1/kv/t?cas=1
DELETE /v1/kv/t?cas={t}
DELETE /v1/kv/t?cas=1
DELETE /v1/kv/t
GET /v1/kv/t
DELETE /v1/kv/s/p?recurse&cas=1
DELETE /v1/kv/
DELETE /v1/kv/s/q?recurse
GET /v1/kv/s/q/?recurse
GET /v1/kv/s/?recurse
PUT /v1/kv/large @524288
PUT /v1/kv/large @524289
GET /v1/kv/?keys
DELETE /v1/kv/large
GET /v1/txn
PUT /v1/txn [{"KV":{"Verb":"set","Key":"x/1","Value":"cmVhZHk="}},{"KV":{"Verb":"get","Key":"x/1"}}]
GET /v1/kv/x/1
PUT /v1/txn [{"KV":{"Verb":"set","Key":"x/2","Value":"cmVhZHk="}},{"KV":{"Verb":"get","Key":"x/3"}},{"KV":{"Verb":"set"}}]
GET /v1/kv/x/2
PUT /v1/txn [{"KV":{"Verb":"set","Key":"x/2","Value":"cmVhZHk="}},{"KV":{"Verb":"cas","Key":"x/1","Value":"Yg==","Index":1}}]
PUT /v1/txn [{"KV":{"Verb":"cas","Key":"x/1","Value":"Yg==","Index":{x/1}}},{"KV":{"Verb":"cas","Key":"x/2","Value":"Yg==","Index":0}}]
PUT /v1/txn [{"KV":{"Verb":"check-index","Key":"x/1","Index":{x/1}}},{"KV":{"Verb":"check-not-exists","Key":"x/9"}},{"KV":{"Verb":"set","Key":"x/4","Flags":3}}]
GET /v1/kv/x/?recurse
PUT /v1/txn [{"KV":{"Verb":"check-index","Key":"x/1","Index":1}}]
PUT /v1/txn [{"KV":{"Verb":"check-index","Key":"x/9","Index":1}}]
PUT /v1/txn [{"KV":{"Verb":"check-not-exists","Key":"x/1"}}]
PUT /v1/txn [{"KV":{"Verb":"delete-cas","Key":"x/1","Index":1}},{"KV":{"Verb":"bogus","Key":"x/1"}}]
PUT /v1/txn [{"KV":{"Verb":"delete-cas","Key":"x/1","Index":{x/1}}},{"KV":{"Verb":"delete","Key":"x/2"}},{"KV":{"Verb":"delete","Key":"x/9"}}]
GET /v1/kv/x/?recurse
PUT /v1/txn [{"KV":{"Verb":"get","Key":"x/4"}}]
PUT /v1/txn []
PUT /v1/txn no JSON
PUT /v1/txn [OPERATIONS128]
PUT /v1/txn [OPERATIONS128,{"KV":{"Verb":"set","Key":"y"}}]
PUT /v1/txn @524289
GET /v1/kv/y
GET /v1/catalog/services
GET /v1/catalog/service/signal
GET /v1/health/service/signal
GET /v1/health/service/signal?passing
GET /v1/health/service/none
GET /v1/health/service/none?dc=dc9
PUT /v1/health/service/signal
`, "OPERATIONS128", strings.TrimSuffix(strings.Repeat(`{"KV":{"Verb":"set","Key":"y"}},`, 128), ","))

// TestConsulStandIn sends the same requests to a real Consul and to signalnode.Consul.
func TestConsulStandIn(t *testing.T) {
	t.Parallel()
	agent := startConsul(t, consulOptions{})
	standIn := signalnode.NewConsul()
	server := httptest.NewServer(standIn)
	t.Cleanup(server.Close)
	meta := map[string]string{"environment": "prod", "shard": "prod-1"}
	register := func(critical bool) {
		body := map[string]any{"Name": "signal", "ID": "s1", "Address": "10.0.0.1", "Port": 6000, "Meta": meta}
		if critical {
			body["Check"] = map[string]any{"TTL": "1h", "Status": "critical"}
		}
		text, err := json.Marshal(body)
		testbed.Must(t, err)
		agent.call(t, http.MethodPut, "/v1/agent/service/register", string(text))
		standIn.Datacenter("dc1").Register(signalnode.Instance{
			Service: "signal", ID: "s1", Node: "server-dc1", NodeAddress: "127.0.0.1",
			Address: "10.0.0.1", Port: 6000, Meta: meta, Critical: critical,
		})
	}
	for _, critical := range []bool{false, true} {
		register(critical)
		want, got := runScript(t, agent.origin), runScript(t, server.URL)
		for i, row := range strings.Split(strings.TrimSpace(consulScript), "\n") {
			if !covers(want[i], got[i]) {
				t.Errorf("%.200s\n     Consul: %v\nthe stand-in: %v", row, want[i], got[i])
			}
		}
	}
	checkBlocking(t, agent.origin)
	checkBlocking(t, server.URL)

	var ends []<-chan string
	for _, origin := range []string{agent.origin, server.URL} {
		const path = "/v1/health/service/signal"
		_, _, headers, err := httpDo(t.Context(), http.MethodGet, origin+path, "", "")
		testbed.Must(t, err)
		ends = append(ends, query(t, origin+path+"?wait=1m&index="+headers.Get("X-Consul-Index")))
	}
	meta = map[string]string{"environment": "prod", "shard": "prod-1", "release_number": "2"}
	register(true)
	for _, end := range ends {
		select {
		case <-end:
		case <-time.After(bound):
			t.Error("a query for the service is not ended by its change")
		}
	}
}

var keyReference = regexp.MustCompile(`\{([a-z0-9/]+)\}`)

// runScript returns the replies as values of JSON, with the ranks of the indexes among all that occurred.
func runScript(t *testing.T, origin string) (replies []any) {
	t.Helper()
	keys := 0 // the number of replies before those of the catalog, whose indexes are not compared
	for row := range strings.Lines(strings.TrimSpace(consulScript)) {
		row = keyReference.ReplaceAllStringFunc(row, func(key string) string {
			var found []struct{ ModifyIndex json.Number }
			getJSON(t, origin+"/v1/kv/"+strings.Trim(key, "{}"), nil, &found)
			return found[0].ModifyIndex.String()
		})
		method, rest, _ := strings.Cut(strings.TrimSuffix(row, "\n"), " ")
		path, body, _ := strings.Cut(rest, " ")
		if path == "/v1/catalog/services" {
			keys = len(replies)
		}
		if size, ok := strings.CutPrefix(body, "@"); ok {
			n, err := strconv.Atoi(size)
			testbed.Must(t, err)
			body = strings.Repeat("x", n)
		}
		code, text, headers, err := httpDo(t.Context(), method, origin+path, body, "")
		testbed.Must(t, err)
		reply := map[string]any{"code": code, "body": text}
		for _, name := range []string{"X-Consul-Knownleader", "Allow"} {
			reply[name] = headers.Get(name)
		}
		if index, err := strconv.ParseFloat(headers.Get("X-Consul-Index"), 64); err == nil {
			reply["X-Consul-Index"] = index
		}
		var value any
		if json.Unmarshal([]byte(text), &value) == nil {
			reply["body"] = value
		} else {
			reply["body"] = modifyIndex.ReplaceAllString(strings.TrimSpace(text), "index N")
		}
		replies = append(replies, reply)
	}
	var indexes []float64
	mapIndexes(replies[:keys], func(index float64) any { indexes = append(indexes, index); return index })
	slices.Sort(indexes)
	indexes = slices.Compact(indexes)
	mapIndexes(replies[:keys], func(index float64) any { return slices.Index(indexes, index) })
	mapIndexes(replies[keys:], func(float64) any { return "some" })
	return replies
}

var modifyIndex = regexp.MustCompile(`index \d+`)

// mapIndexes replaces each index in a value of JSON.
func mapIndexes(value any, by func(float64) any) {
	switch value := value.(type) {
	case map[string]any:
		for key, member := range value {
			if index, ok := member.(float64); ok && strings.HasSuffix(key, "Index") && key != "OpIndex" && key != "Index" {
				value[key] = by(index)
			} else if text, ok := member.(string); ok && key == "What" {
				value[key] = modifyIndex.ReplaceAllString(text, "index N")
			} else {
				mapIndexes(member, by)
			}
		}
	case []any:
		for _, member := range value {
			mapIndexes(member, by)
		}
	}
}

// covers reports whether a value of JSON is what the real Consul replied, apart from members of objects that it lacks.
func covers(want, got any) bool {
	switch got := got.(type) {
	case map[string]any:
		of, ok := want.(map[string]any)
		for key, member := range got {
			ok = ok && covers(of[key], member)
		}
		return ok
	case []any:
		of, ok := want.([]any)
		ok = ok && len(of) == len(got)
		for i := 0; ok && i < len(of); i++ {
			ok = covers(of[i], got[i])
		}
		return ok
	}
	return reflect.DeepEqual(want, got)
}

// query sends a blocking query. The channel gets the index of the reply, or the error.
func query(t *testing.T, url string) <-chan string {
	ended := make(chan string, 1)
	go func() {
		_, _, headers, err := httpDo(t.Context(), http.MethodGet, url, "", "")
		if err != nil {
			ended <- err.Error()
			return
		}
		ended <- headers.Get("X-Consul-Index")
	}()
	return ended
}

// checkBlocking checks blocking queries: what ends them, and that writes of something else do not.
func checkBlocking(t *testing.T, origin string) {
	do := func(method, path, body string) http.Header {
		t.Helper()
		_, _, headers, err := httpDo(t.Context(), method, origin+path, body, "")
		testbed.Must(t, err)
		return headers
	}
	do("PUT", "/v1/kv/b/1", "ready")
	do("PUT", "/v1/kv/b/2", "ready")
	do("PUT", "/v1/kv/c", "ready")
	for _, tt := range []struct {
		path          string
		others, endBy [3]string
	}{
		{"/v1/kv/b/1?", [3]string{"PUT", "/v1/kv/b/2", "drain"}, [3]string{"PUT", "/v1/kv/b/1", "drain"}},
		{"/v1/kv/b/1?stale&", [3]string{"PUT", "/v1/kv/b/1", "drain"}, [3]string{"DELETE", "/v1/kv/b/1", ""}},
		// A query for a missing key ends at once if another key has changed since the index.
		{"/v1/kv/b/1?", [3]string{"GET", "/v1/kv/c", ""}, [3]string{"PUT", "/v1/kv/b/1", "ready"}},
		{"/v1/kv/b/?recurse&", [3]string{"PUT", "/v1/kv/c", "ready"}, [3]string{"DELETE", "/v1/kv/b/2", ""}},
		{"/v1/kv/b/?keys&", [3]string{"PUT", "/v1/kv/c", "drain"}, [3]string{"PUT", "/v1/kv/b/3", "ready"}},
		{"/v1/kv/b/3?", [3]string{"PUT", "/v1/txn", `[{"KV":{"Verb":"cas","Key":"b/3"}}]`},
			[3]string{"PUT", "/v1/txn", `[{"KV":{"Verb":"set","Key":"b/3"}}]`}},
	} {
		index := do("GET", tt.path, "").Get("X-Consul-Index")
		wait := func(how string) <-chan string {
			return query(t, origin+tt.path+"index="+index+"&wait="+how)
		}
		began := time.Now()
		unchanged := wait("200ms")
		do(tt.others[0], tt.others[1], tt.others[2])
		if got := <-unchanged; got != index || time.Since(began) < 200*time.Millisecond {
			t.Errorf("%s %s: ended after %s with index %s; want %s after the wait",
				origin, tt.path, time.Since(began), got, index)
		}
		changed := wait("1m")
		do(tt.endBy[0], tt.endBy[1], tt.endBy[2])
		select {
		case got := <-changed:
			if got == index {
				t.Errorf("%s %s: ended with the same index after %v", origin, tt.path, tt.endBy)
			}
		case <-time.After(bound):
			t.Errorf("%s %s: not ended by %v", origin, tt.path, tt.endBy)
		}
	}
}
