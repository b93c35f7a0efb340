package rest

import (
	"bytes"
	"encoding/json"
	"errors"
	"log/slog"
	"mime"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/gin-gonic/gin"
	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"
	"github.com/santhosh-tekuri/jsonschema/v6"
	"go.opentelemetry.io/otel/metric/noop"

	"github.com/signal-sidecar/signal-sidecar/health"
	"github.com/signal-sidecar/signal-sidecar/history"
)

// description is openapi.json. The schemas of OpenAPI 3.1 are JSON Schema.
type description struct {
	paths    map[string]map[string]operation // by path and method
	compiler *jsonschema.Compiler
}

type operation struct {
	Responses map[string]struct {
		Content map[string]any
		Headers map[string]any
	}
}

const descriptionName = "openapi.json"

func readDescription(t *testing.T) *description {
	t.Helper()
	d, err := compiledDescription()
	if err != nil {
		t.Fatal(err)
	}
	return d
}

var compiledDescription = sync.OnceValues(func() (*description, error) {
	var read struct {
		Paths map[string]map[string]operation
	}
	whole, err := jsonschema.UnmarshalJSON(bytes.NewReader(openAPI))
	if err != nil {
		return nil, err
	}
	d := &description{compiler: jsonschema.NewCompiler()}
	d.compiler.AssertFormat()
	err = errors.Join(json.Unmarshal(openAPI, &read), d.compiler.AddResource(descriptionName, whole))
	d.paths = read.Paths
	return d, err
})

// check compares a reply with its description: code, headers, content type and body. A path that is not described must
// get a 404.
func (d *description) check(t *testing.T, method, path string, r reply) {
	t.Helper()
	path, _, _ = strings.Cut(path, "?")
	if name, isAsset := strings.CutPrefix(path, "/assets/"); isAsset && name != "" && !strings.Contains(name, "/") {
		path = "/assets/{name}"
	}
	code := strconv.Itoa(r.code)
	get, described := d.paths[path]["get"]
	response, known := get.Responses[code]
	switch {
	case described && method != http.MethodGet && method != http.MethodHead:
		if _, canBeOff := get.Responses["404"]; r.code != http.StatusMethodNotAllowed && (!canBeOff ||
			r.code != http.StatusNotFound) {
			t.Errorf("%s %s: %s, want 405", method, path, code)
		}
		return
	case !described && r.code != http.StatusNotFound:
		t.Errorf("%s: the path is not described", path)
		return
	case !described:
		return
	case !known:
		t.Errorf("%s: %s is not described", path, code)
		return
	}
	at := pointer("paths", path, "get", "responses", code)
	for name := range response.Headers {
		d.validate(t, "#/components/headers/"+name+"/schema", r.header.Get(name))
	}
	contentType, _, _ := mime.ParseMediaType(r.header.Get("Content-Type"))
	if _, known := response.Content[contentType]; !known && (contentType != "" || len(response.Content) > 0) {
		t.Errorf("%s: %s as %q is not described", path, code, contentType)
		return
	}
	if method == http.MethodHead || contentType == "" {
		if r.body != "" {
			t.Errorf("%s %s has a body: %q", method, path, r.body)
		}
		return
	}
	var body any = r.body
	if contentType == "application/json" {
		var err error
		if body, err = jsonschema.UnmarshalJSON(strings.NewReader(r.body)); err != nil {
			t.Errorf("%s: %v", path, err)
			return
		}
	}
	d.validate(t, at+pointer("content", contentType, "schema")[1:], body)
}

// validate checks a value against the schema at a place in the description.
func (d *description) validate(t *testing.T, at string, value any) {
	t.Helper()
	schema, err := d.compiler.Compile(descriptionName + at)
	if err != nil {
		t.Fatal(err)
	}
	if err := schema.Validate(value); err != nil {
		t.Errorf("%v\nof %.2000v", err, value)
	}
}

// pointer returns a JSON pointer as the fragment of a URL.
func pointer(names ...string) string {
	var b strings.Builder
	b.WriteString("#")
	for _, name := range names {
		b.WriteString("/" + strings.NewReplacer("~", "~0", "/", "~1").Replace(name))
	}
	return b.String()
}

// TestEveryAnswerIsDescribed checks the reply of every path in every state, with and without the census. At the end, it
// checks that every described reply has occurred.
func TestEveryAnswerIsDescribed(t *testing.T) {
	t.Parallel()
	d := readDescription(t)
	given := map[string]bool{}
	crowded := startServer(t, setup{fleet: newTables()}) // its maximum number of streams is opened below
	ask := func(r *runningServer, path string, headers ...string) {
		for _, method := range []string{"GET", "HEAD"} {
			if (path == eventsPath || path == fleetEventsPath) && method == "GET" && r != crowded {
				continue // the stream would not end; HEAD has the same headers
			}
			reply := r.ask(t, method, path, headers...)
			d.check(t, method, path, reply)
			bare, _, _ := strings.Cut(path, "?")
			if strings.HasPrefix(bare, "/assets/") {
				bare = "/assets/{name}"
			}
			given[bare+" "+strconv.Itoa(reply.code)] = true
		}
	}
	for _, census := range []bool{false, true} {
		r := startServer(t, setup{census: census})
		for path := range d.paths {
			ask(r, path)
		}
		for state := range states {
			r.node.enter(t, "up")
			r.node.enter(t, state)
			for path := range d.paths {
				ask(r, path)
			}
		}
		ask(r, "/signal/history?since=yesterday")
		ask(r, "/metrics", "Accept: application/openmetrics-text; version=1.0.0")
		ask(r, "/metrics",
			"Accept: application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;encoding=delimited")
	}
	askFleet(t, ask)
	ask(startServer(t, setup{noMetrics: true}), "/metrics")
	failing := prometheus.GathererFunc(func() ([]*dto.MetricFamily, error) { return nil, errors.New("nothing at all") })
	ask(startServer(t, setup{gatherer: failing}), "/metrics")
	askWhileFull(t, ask)
	ask(startServer(t, setup{watch: stalledWatch{}}), "/health")
	for _, asset := range loadAssets().paths {
		ask(crowded, asset)
	}
	for range maxStreams {
		crowded.openStream(t)
	}
	ask(crowded, eventsPath)
	ask(crowded, fleetEventsPath)

	for path, methods := range d.paths {
		for code := range methods["get"].Responses {
			if !given[path+" "+code] {
				t.Errorf("%s never answered %s", path, code)
			}
		}
	}
}

// askFleet calls ask for the paths of the fleet, with everything read and with a problem.
func askFleet(t *testing.T, ask func(*runningServer, string, ...string)) {
	all := newTables()
	all.set(new(FleetTable))
	r := startServer(t, setup{fleet: all})
	for _, path := range []string{fleetPath, fleetEventsPath, fleetJSONPath} {
		ask(r, path)
	}
	all.set(&FleetTable{Problems: []string{"no answer"}})
	ask(r, fleetJSONPath)
}

// askWhileFull calls ask while the maximum number of replies of each bounded route is in flight.
func askWhileFull(t *testing.T, ask func(*runningServer, string, ...string)) {
	all := newTables()
	all.set(new(FleetTable))
	r := startServer(t, setup{census: true, fleet: all})
	r.node.enter(t, "census good")
	for path, f := range map[string]*flights{
		"/metrics": r.bounds.scrapes, "/signal/history": r.bounds.history, "/signal/census": r.bounds.census,
		fleetPath: r.bounds.fleet, fleetJSONPath: r.bounds.fleet,
	} {
		var ends []func()
		f.mu.Lock()
		f.keep = bound // on a slow machine too
		f.mu.Unlock()
		for i := range f.replies {
			end, ok := f.begin(i%f.bodies, nil)
			if !ok {
				t.Fatalf("%s: reply %d was refused", path, i)
			}
			ends = append(ends, end)
		}
		ask(r, path)
		if got := r.ask(t, "GET", path); got.code != 503 || got.header.Get("Retry-After") == "" {
			t.Errorf("%s: %d with Retry-After %q", path, got.code, got.header.Get("Retry-After"))
		}
		for _, end := range ends {
			end()
		}
		if got := r.ask(t, "GET", path); got.code != 200 {
			t.Errorf("%s: then %d", path, got.code)
		}
	}
}

// TestEveryRouteIsDescribed checks that every route is described, and that every described path is a route.
func TestEveryRouteIsDescribed(t *testing.T) {
	handler, err := newHandler(Options{
		Source: newNode(true), Gatherer: prometheus.NewRegistry(), Census: true, History: history.New(), Fleet: newTables(),
		MeterProvider: noop.NewMeterProvider(), Logger: slog.New(slog.DiscardHandler),
	}, newBounds())
	if err != nil {
		t.Fatal(err)
	}
	var served, described []string
	for _, route := range handler.(*gin.Engine).Routes() {
		served = append(served, route.Method+" "+strings.ReplaceAll(route.Path, ":name", "{name}"))
	}
	for path, methods := range readDescription(t).paths {
		if len(methods) != 1 {
			t.Errorf("%s has %d methods described; GET stands for HEAD too", path, len(methods))
		}
		described = append(described, "GET "+path, "HEAD "+path)
	}
	slices.Sort(served)
	slices.Sort(described)
	if !slices.Equal(served, described) {
		t.Errorf("served:\n%q\ndescribed:\n%q", served, described)
	}
}

// TestDescribedWords checks that the closed sets of words are the same as those of the rules.
func TestDescribedWords(t *testing.T) {
	var read struct {
		Components struct {
			Schemas struct {
				Code   struct{ Enum []health.Code }
				Status struct{ Enum []health.Status }
			}
		}
	}
	if err := json.Unmarshal(openAPI, &read); err != nil {
		t.Fatal(err)
	}
	if got := read.Components.Schemas.Code.Enum; !slices.Equal(got, health.Codes) {
		t.Errorf("the codes are %q, want %q", got, health.Codes)
	}
	if got := read.Components.Schemas.Status.Enum; !slices.Equal(got, health.Statuses) {
		t.Errorf("the statuses are %q, want %q", got, health.Statuses)
	}
}
