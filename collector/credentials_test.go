package collector

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
)

const (
	testUser     = "sidecar"
	testPassword = "hunter2/@:%"
)

// withUser adds the user and the password, escaped, to an origin.
func withUser(origin string) string {
	return strings.Replace(origin, "://", "://"+testUser+":hunter2%2F%40%3A%25@", 1)
}

// TestCredentials probes a service that requires a user and a password, also after a redirect within the host.
func TestCredentials(t *testing.T) {
	t.Parallel()
	service := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		user, password, _ := r.BasicAuth()
		switch {
		case user != testUser || password != testPassword || r.Header.Get("Referer") != "" &&
			strings.Contains(r.Header.Get("Referer"), testUser):
			w.WriteHeader(http.StatusUnauthorized)
		case r.URL.Path == "/http-bind":
			http.Redirect(w, r, "/elsewhere", http.StatusFound)
		}
	}))
	t.Cleanup(service.Close)
	for origin, want := range map[string]int{withUser(service.URL): 200, service.URL: 401} {
		r := newRig(t)
		stop := r.run(NewProsody(origin, r.options))
		if got := r.next().Prosody.Health; got.Code != want {
			t.Errorf("%s: %d %s, want %d", origin, got.Code, got.Detail, want)
		}
		stop()
		expectNoCredentials(t, r, nil)
	}
}

// TestCredentialsStayHidden makes probes fail in several ways and checks that no observation, log line or span contains
// the password.
func TestCredentialsStayHidden(t *testing.T) {
	t.Parallel()
	var leaked atomic.Bool
	other := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Authorization") != "" || strings.Contains(r.Header.Get("Referer"), testUser) {
			leaked.Store(true)
		}
	}))
	t.Cleanup(other.Close)
	service := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/base/http-bind" {
			http.Redirect(w, r, strings.Replace(other.URL, "127.0.0.1", "localhost", 1), http.StatusFound)
			return
		}
		w.WriteHeader(http.StatusServiceUnavailable)
	}))
	t.Cleanup(service.Close)
	closed := httptest.NewServer(nil)
	closed.Close()
	for _, origin := range []string{service.URL, service.URL + "/base", closed.URL, "http://name.invalid",
		strings.Replace(service.URL, "http:", "https:", 1)} {
		r := newRig(t)
		r.options.Retries = 1
		stop := r.run(NewProsody(withUser(origin), r.options))
		seen := r.next()
		stop()
		if e := seen.Prosody.Health.Exchange; e != nil && e.URL != origin+"/http-bind" {
			t.Errorf("kept is %s, want %s/http-bind", e.URL, origin)
		}
		expectNoCredentials(t, r, seen.Prosody)
	}
	if leaked.Load() {
		t.Error("a redirect to another host took the password with it")
	}
}

// expectNoCredentials checks that the log, the spans and the observations do not contain the user or the password.
func expectNoCredentials(t *testing.T, r *rig, seen any) {
	t.Helper()
	text, err := json.Marshal(seen)
	if err != nil {
		t.Fatal(err)
	}
	all := string(text) + r.log.String()
	for _, s := range r.spans.Ended() {
		all += fmt.Sprint(s.Name(), s.Attributes(), s.Events(), s.Status())
	}
	if strings.Contains(all, testUser) || strings.Contains(all, "hunter2") {
		t.Errorf("the credentials are in\n%s", all)
	}
}
