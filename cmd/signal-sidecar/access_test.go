package main_test

import (
	"crypto/tls"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"

	"golang.org/x/crypto/bcrypt"

	"github.com/signal-sidecar/signal-sidecar/testbed"
)

// protected returns a folder with a web configuration for TLS and the user me:right-password, and its authority.
func protected(t *testing.T, more string) (folder, path string, ca *testbed.Authority) {
	t.Helper()
	folder, ca = t.TempDir(), testbed.NewAuthority(t)
	certificate, key := ca.Issue(t, "sidecar")
	testbed.Write(t, folder, "cert.pem", certificate)
	testbed.Write(t, folder, "key.pem", key)
	testbed.Write(t, folder, "ca.pem", ca.PEM)
	hash, err := bcrypt.GenerateFromPassword([]byte("right-password"), bcrypt.MinCost)
	testbed.Must(t, err)
	path = testbed.Write(t, folder, "web.yml", fmt.Sprintf(
		"basic_auth_users:\n  me: %s\ntls_server_config:\n  cert_file: cert.pem\n  key_file: key.pem\n%s", hash, more))
	return folder, path, ca
}

// TestWebConfig runs a sidecar with TLS and a password on both HTTP ports, and status against it.
func TestWebConfig(t *testing.T) {
	t.Parallel()
	folder, path, ca := protected(t, "")
	s := newShard(t, lasting.With(vars{
		"WEB_CONFIG_FILE": path, "HTTP_HOSTS": "shard.example.com", "HTTP_PORT": testbed.LastingPort(t),
		"PAGE_PORT": testbed.LastingPort(t),
	}))
	s.start(t)
	s.Becomes(t, "up ready 100%")
	client := &http.Client{Timeout: bound, Transport: &http.Transport{
		DisableKeepAlives: true, TLSClientConfig: &tls.Config{RootCAs: ca.Pool()},
	}}
	for _, port := range []string{s.settings["HTTP_PORT"], s.settings["PAGE_PORT"]} {
		for _, c := range []struct {
			path, host, password string
			code                 int
		}{
			{"/health", "other", "", 200}, {"/signal/health", "other", "", 200}, {"/about/health", "", "", 200},
			{"/signal/report", "shard.example.com", "", 401}, {"/", "shard.example.com", "wrong", 401},
			{"/signal/report", "shard.example.com", "right-password", 200},
			{"/", "shard.example.com:6001", "right-password", 200}, {"/", "other", "right-password", 421},
		} {
			request, err := http.NewRequest(http.MethodGet, "https://127.0.0.1:"+port+c.path, nil)
			testbed.Must(t, err)
			request.Host = c.host
			if c.password != "" {
				request.SetBasicAuth("me", c.password)
			}
			response, err := client.Do(request)
			testbed.Must(t, err)
			_, _ = io.Copy(io.Discard, response.Body)
			response.Body.Close()
			if response.StatusCode != c.code {
				t.Errorf("%+v: %d", c, response.StatusCode)
			}
		}
	}
	same := s.settings.With(vars{"HTTP_ADDR": "127.0.0.1"})
	url := "127.0.0.1:" + s.settings["HTTP_PORT"]
	authority := []string{"--ca-file", folder + "/ca.pem"}
	wantStatus(t, "the same settings", same, nil, saysUp,
		`ready  \(the reasons need a password: --url https://user:password@HOST\)`)
	wantStatus(t, "the health check", same, []string{"--self"}, saysUp, "OK")
	wantStatus(t, "by address", nil, append(authority, "--url", "https://me:right-password@"+url), saysUp,
		`ready  \(the reasons are at the names of HTTP_HOSTS only\)`)
	wantStatus(t, "SSL_CERT_FILE", vars{"SSL_CERT_FILE": folder + "/ca.pem"}, []string{"--url", "https://" + url}, saysUp,
		`ready  \(the reasons are at the names of HTTP_HOSTS only\)`)
	wantStatus(t, "unknown authority", nil, []string{"--url", "https://me:right-password@" + url}, saysUnknown,
		"unknown: the sidecar has a certificate from an unknown authority at "+url)
	wantStatus(t, "without TLS", nil, []string{"--url", "http://" + url}, saysUnknown,
		"unknown: http://"+url+"/signal/explain needs https")
	s.Say(t, "unhealthy")
	s.Becomes(t, "down drain 0%")
	wantStatus(t, "down", same, nil, saysDown, `down  because  \[status_unhealthy\]  \(the reasons .*\)`)

	certificate, key := testbed.NewAuthority(t).Issue(t, "another")
	testbed.Write(t, folder, "cert.pem", certificate)
	testbed.Write(t, folder, "key.pem", key)
	testbed.Eventually(t, "the reload", bound, func() bool {
		return len(s.Logged("web configuration reloaded")) == 1
	})
	if response, err := client.Get("https://" + url + "/health"); err == nil {
		response.Body.Close()
		t.Error("the previous certificate is still in force")
	}
	wantStatus(t, "another certificate", same, nil, saysDown, `down  because .*`)
	if strings.Contains(s.Stdout()+s.Stderr(), "right-password") {
		t.Error("the log has the password")
	}
}

// TestStatusWithPassword runs status with a password and a client certificate.
func TestStatusWithPassword(t *testing.T) {
	t.Parallel()
	folder, path, ca := protected(t, "  client_auth_type: RequireAndVerifyClientCert\n  client_ca_file: ca.pem\n")
	certificate, key := ca.Issue(t, "operator")
	pair := []string{
		"--cert-file", testbed.Write(t, folder, "operator.pem", certificate),
		"--key-file", testbed.Write(t, folder, "operator.key", key),
		"--ca-file", folder + "/ca.pem",
	}
	s := newShard(t, lasting.With(vars{"WEB_CONFIG_FILE": path, "HTTP_PORT": testbed.LastingPort(t)}))
	s.start(t)
	s.Becomes(t, "up ready 100%")
	s.Say(t, "drain")
	s.Becomes(t, "up drain 0%")
	url := "https://me:right-password@127.0.0.1:" + s.settings["HTTP_PORT"]
	wantStatus(t, "all", nil, append(pair, "--url", url), saysUp,
		"up drain 0%", because("the status file says drain", "status_drain"))
	wantStatus(t, "no certificate", nil, append(pair[4:], "--url", url), saysUnknown, "unknown: .*certificate required.*")
	wantStatus(t, "wrong password", nil, append(pair, "--url", strings.Replace(url, "right", "wrong", 1)), saysUp,
		`drain  because  \[status_drain\]  \(the reasons need a password: .*\)`)
	same := s.settings.With(vars{"HTTP_ADDR": "127.0.0.1"})
	wantStatus(t, "the health check", same, append(pair[:4:4], "--self"), saysUp, "OK")
	wantStatus(t, "the health check of the image", same, []string{"--self"}, 1, "unknown: .*certificate required.*")
	if r := run(t, nil, "status", "--cert-file", pair[1], "--key-file", pair[1]); r.code != 2 ||
		!strings.Contains(r.stderr, "--cert-file") {
		t.Errorf("a bad key: exit %d, %s", r.code, r.stderr)
	}
	if r := run(t, nil, "status", "--ca-file", "/nonexistent"); r.code != 2 || !strings.Contains(r.stderr, "--ca-file") {
		t.Errorf("no authority: exit %d, %s", r.code, r.stderr)
	}
}
