package webconfig

import (
	"crypto/tls"
	"fmt"
	"net/http"
	"path/filepath"
	"strings"
	"testing"

	"github.com/signal-sidecar/signal-sidecar/testbed"
)

// TestBadFiles checks that an error says what is wrong, in one line and without anything secret.
func TestBadFiles(t *testing.T) {
	f := newFiles(t)
	f.write("empty.pem", "")
	f.write("large", strings.Repeat("#", maxFile+1))
	for text, want := range map[string]string{
		"tls_server_config: [":                                                                     "yaml: line 1: did not find expected node content",
		"tls_server_config: hunter2":                                                               "line 1: cannot unmarshal !!str (not shown) into web.TLSConfig",
		"nonsense: 1":                                                                              "line 1: field nonsense not found in type web.Config",
		"basic_auth_users:\n  me: hunter2":                                                         `the password of "me" is not a bcrypt hash`,
		"basic_auth_users:\n  me: [hunter2]":                                                       "line 2: cannot unmarshal !!seq into config.plain",
		"basic_auth_users:\n  me: " + costly:                                                       `the bcrypt cost of "me" is 20, above 14`,
		"tls_server_config:\n  cert_file: no.pem":                                                  "no.pem: no such file",
		"tls_server_config:\n  cert_file: ca.pem":                                                  "missing one of key or key_file",
		"tls_server_config:\n  client_auth_type: RequireAndVerifyClientCert":                       "missing one of cert or cert_file",
		strings.Replace(tlsSection, "key.pem", "ca.pem", 1):                                        "failed to load X509KeyPair",
		strings.Replace(tlsSection, "key.pem", ".", 1):                                             "is not a regular file",
		strings.Replace(tlsSection, "key.pem", "large", 1):                                         "is larger than 1048576 bytes",
		tlsSection + "  min_version: SSL3":                                                         "unknown TLS version: SSL3",
		tlsSection + "  client_ca_file: ca.pem":                                                    "without a Client Auth Policy",
		tlsSection + "  client_auth_type: RequireAndVerifyClientCert\n  client_ca_file: empty.pem": "client_ca has no certificate",
		"http_server_config:\n  headers:\n    Server: x":                                           `HTTP header "Server" can not be configured`,
		"rate_limit:\n  burst: 3":                                                                  "rate_limit is not supported",
	} {
		err := Check(f.write("web.yml", text))
		if err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "\n") ||
			strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%q: %v, want %q", text, err, want)
		}
	}
	if err := Check(filepath.Join(f.folder, "missing.yml")); err == nil || !strings.Contains(err.Error(), "missing.yml") {
		t.Errorf("a missing file: %v", err)
	}
}

// costly is a hash whose comparison takes a minute.
const costly = "$2a$20$1mzGFUsUYuEB2djYUy7gBeFv09EV.4.gaN5TcupK2yYExYRlsK28."

func TestEmptyFile(t *testing.T) {
	f := newFiles(t)
	f.write("web.yml", "")
	s := f.serve()
	if response, body := get(t, f.client(), s.URL, "", ""); response.StatusCode != 200 || body != "served" {
		t.Errorf("%d, %q", response.StatusCode, body)
	}
}

// TestTLS checks HTTP/2 and HTTP/1.1, by choice of the file, and the headers.
func TestTLS(t *testing.T) {
	for choice, protocol := range map[string]int{"": 2, "  http2: true\n": 2, "  http2: false\n": 1} {
		f := newFiles(t)
		f.write("web.yml", tlsSection+"http_server_config:\n"+choice+"  headers:\n    X-Frame-Options: deny\n")
		s := f.serve()
		response, body := get(t, f.client(), s.URL, "", "")
		if response.ProtoMajor != protocol || body != "served" || response.Header.Get("X-Frame-Options") != "deny" {
			t.Errorf("%q: %s, %q, %v", choice, response.Proto, body, response.Header)
		}
		if s.file.TLS() == nil {
			t.Error("there is no TLS")
		}
	}
}

// TestClientCertificates checks that a required certificate is required for the open path too.
func TestClientCertificates(t *testing.T) {
	f := newFiles(t)
	f.write("web.yml", tlsSection+
		"  client_auth_type: RequireAndVerifyClientCert\n  client_ca_file: ca.pem\n  client_allowed_sans: [prometheus]\n")
	s := f.serve()
	pair := func(ca *testbed.Authority, name string) tls.Certificate {
		certificate, key := ca.Issue(t, name)
		pair, err := tls.X509KeyPair([]byte(certificate), []byte(key))
		testbed.Must(t, err)
		return pair
	}
	trusted, other := pair(f.ca, "prometheus"), pair(f.ca, "somebody")
	foreign := pair(testbed.NewAuthority(t), "prometheus")
	for _, path := range []string{"/", "/open"} {
		for name, client := range map[string]*http.Client{
			"none": f.client(), "other name": f.client(other), "other authority": f.client(foreign),
		} {
			if response, err := client.Get(s.URL + path); err == nil {
				response.Body.Close()
				t.Errorf("%s, %s: %d", path, name, response.StatusCode)
			}
		}
		if _, body := get(t, f.client(trusted), s.URL+path, "", ""); body != "served" {
			t.Errorf("%s: %q", path, body)
		}
	}
}

// TestReload changes the files. A bad change leaves the previous content in force, and is logged once.
func TestReload(t *testing.T) {
	f := newFiles(t)
	f.write("web.yml", tlsSection)
	s := f.serve()
	presents := func() string {
		t.Helper()
		response, _ := get(t, f.client(), s.URL, "", "")
		return response.TLS.PeerCertificates[0].Subject.CommonName
	}
	reload := func() {
		for range 3 {
			s.file.reload(t.Context())
		}
	}
	want := func(when, name, logged string) {
		t.Helper()
		reload()
		if got := presents(); got != name || strings.Count(s.log.String(), "msg=") != min(1, len(logged)) ||
			!strings.Contains(s.log.String(), logged) {
			t.Errorf("%s: the certificate is %q, want %q; the log is %q, want %q", when, got, name, s.log, logged)
		}
		s.log.Reset()
	}
	want("unchanged", "sidecar", "")
	f.renew("renewed")
	want("new certificate", "renewed", "web configuration reloaded")
	f.write("key.pem", "nonsense")
	want("bad key", "renewed", "the previous one stays in force")
	f.renew("again")
	want("good again", "again", "web configuration reloaded")
	f.write("web.yml", tlsSection+"nonsense: 1\n")
	want("bad file", "again", "nonsense")
	f.write("web.yml", "")
	want("TLS turned off", "again", "needs a restart")
	f.write("web.yml", tlsSection)
	want("the first file", "again", "")
	f.write("web.yml", fmt.Sprintf("%sbasic_auth_users:\n  me: %s\n", tlsSection, hash(t, "secret")))
	want("a user", "again", "reloaded")
	if response, _ := get(t, f.client(), s.URL, "", ""); response.StatusCode != 401 {
		t.Errorf("without a password: %d", response.StatusCode)
	}
	if response, _ := get(t, f.client(), s.URL, "me", "secret"); response.StatusCode != 200 {
		t.Errorf("with the password: %d", response.StatusCode)
	}
}

// TestRun checks that Run notices a change by itself, and ends.
func TestRun(t *testing.T) {
	f := newFiles(t)
	f.write("web.yml", "")
	s := f.serve()
	stop, _ := testbed.Background(s.file.Run, bound)
	f.write("web.yml", "basic_auth_users:\n  me: "+hash(t, "secret")+"\n")
	testbed.Eventually(t, "the reload", bound, func() bool {
		response, _ := get(t, f.client(), s.URL, "", "")
		return response.StatusCode == 401
	})
	testbed.Must(t, stop())
}

func TestCertificate(t *testing.T) {
	f := newFiles(t)
	path := f.write("web.yml", "")
	if c, err := Certificate(path); c != nil || err != nil {
		t.Errorf("without TLS: %v, %v", c, err)
	}
	f.write("web.yml", tlsSection)
	if c, err := Certificate(path); err != nil || c.Subject.CommonName != "sidecar" {
		t.Errorf("%v, %v", c, err)
	}
}
