package e2e

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/pb33f/libopenapi"
	validator "github.com/pb33f/libopenapi-validator"
	"github.com/pb33f/libopenapi-validator/errors"

	"github.com/signal-sidecar/signal-sidecar/signalnode"
	"github.com/signal-sidecar/signal-sidecar/testbed"
)

// description is a sidecar's OpenAPI description of its replies.
type description struct {
	validator.Validator
	paths []string // without streams, which do not end
}

// describes reads a sidecar's description, which must be valid OpenAPI.
func describes(t *testing.T, s *shard) description {
	t.Helper()
	code, text := testbed.Get("http://" + s.HTTP + "/openapi.json")
	if code != http.StatusOK {
		t.Fatalf("%d %s", code, text)
	}
	document, err := libopenapi.NewDocument([]byte(text))
	testbed.Must(t, err)
	t.Cleanup(document.Release)
	model, err := document.BuildV3Model()
	testbed.Must(t, err)
	v, errs := validator.NewValidator(document)
	for _, err := range errs {
		t.Fatal(err)
	}
	t.Cleanup(v.Release)
	_, problems := v.ValidateDocument()
	report(t, "the description", problems)
	d := description{Validator: v}
	for path, item := range model.Model.Paths.PathItems.FromOldest() {
		if ok, _ := item.Get.Responses.Codes.Get("200"); ok.Content == nil ||
			ok.Content.GetOrZero("text/event-stream") == nil {
			d.paths = append(d.paths, path)
		}
	}
	return d
}

// check checks the reply of every path against the description.
func (d description) check(t *testing.T, s *shard, when string) {
	t.Helper()
	for _, path := range d.paths {
		request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+s.HTTP+path, nil)
		testbed.Must(t, err)
		response, err := testbed.Client.Do(request)
		testbed.Must(t, err)
		body, err := io.ReadAll(response.Body)
		response.Body.Close()
		testbed.Must(t, err)
		response.Body = io.NopCloser(bytes.NewReader(body))
		_, problems := d.ValidateHttpRequestResponse(request, response)
		report(t, fmt.Sprintf("%s, %s answered %s %.2000s", when, path, response.Status, body), problems)
	}
}

func report(t *testing.T, what string, problems []*errors.ValidationError) {
	t.Helper()
	for _, p := range problems {
		t.Errorf("%s: %s: %s", what, p.Message, p.Reason)
		for _, detail := range p.SchemaValidationErrors {
			t.Errorf("  %s: %s", detail.KeywordLocation, detail.Reason)
		}
	}
}

// behave sets the behavior of both services.
func (s *shard) behave(b signalnode.Behavior) {
	s.Jicofo.Set("", b)
	s.Prosody.Set("", b)
}

// TestOpenAPI gives an independent validator a sidecar's description and all its replies, while jicofo, prosody and the
// status file fail in every way. The failed probes in the history are real ones.
func TestOpenAPI(t *testing.T) {
	s := startShard(t,
		vars{"CENSUS_POLL": "true", "CENSUS_HOST": "meet.example.com", "AGENT_DESCRIPTION": "true", "PROBE_TIMEOUT": "0.2"})
	d := describes(t, s)
	d.check(t, s, "healthy")
	for _, behavior := range []string{"code 503", "code 500", "hang", "reset", "garbage", "notjson", "redirect loop",
		"huge"} {
		s.behave(signalnode.MustParseBehavior(behavior))
		testbed.Eventually(t, "down by "+behavior, bound, func() bool {
			line, _ := s.ask(t)
			return strings.HasPrefix(line, "down ")
		})
		d.check(t, s, behavior)
		s.behave(signalnode.Behavior{})
		s.Becomes(t, "up ready 100%")
	}
	s.Say(t, "drain")
	s.Becomes(t, "up drain 0% #status_drain: the status file says drain")
	d.check(t, s, "drained")
}
