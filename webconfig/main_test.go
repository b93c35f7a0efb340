package webconfig

import (
	"bytes"
	"crypto/tls"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"go.uber.org/goleak"
	"golang.org/x/crypto/bcrypt"

	"github.com/signal-sidecar/signal-sidecar/testbed"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const bound = 20 * time.Second

// files is a folder with a web configuration and the files that it names.
type files struct {
	*testing.T
	folder string
	ca     *testbed.Authority
}

func newFiles(t *testing.T) *files {
	t.Helper()
	f := &files{T: t, folder: t.TempDir()}
	f.ca = testbed.NewAuthority(t)
	f.write("ca.pem", f.ca.PEM)
	f.renew("sidecar")
	return f
}

// write replaces a file.
func (f *files) write(name, text string) (path string) {
	f.Helper()
	path = filepath.Join(f.folder, name)
	testbed.Must(f, os.WriteFile(path+".new", []byte(text), 0o600))
	testbed.Must(f, os.Rename(path+".new", path))
	return path
}

// renew writes a new certificate and key of the server.
func (f *files) renew(name string) {
	f.Helper()
	certificate, key := f.ca.Issue(f.T, name)
	f.write("cert.pem", certificate)
	f.write("key.pem", key)
}

// tlsSection is the part of the file that turns on TLS.
const tlsSection = "tls_server_config:\n  cert_file: cert.pem\n  key_file: key.pem\n"

// hash returns the cheapest hash of a password.
func hash(t testing.TB, password string) string {
	t.Helper()
	h, err := bcrypt.GenerateFromPassword([]byte(password), bcrypt.MinCost)
	testbed.Must(t, err)
	return string(h)
}

// server serves with a web configuration. /open needs no password.
type server struct {
	*httptest.Server
	file *File
	log  *bytes.Buffer
}

func (f *files) serve() *server {
	f.Helper()
	s := &server{log: new(bytes.Buffer)}
	var err error
	s.file, err = Open(filepath.Join(f.folder, "web.yml"), slog.New(slog.NewTextHandler(s.log, nil)))
	testbed.Must(f, err)
	s.Server = httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if s.file.Admit(w, r, r.URL.Path == "/open") {
			_, _ = io.WriteString(w, "served")
		}
	}))
	s.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, 0)
	if s.TLS = s.file.TLS(); s.TLS != nil {
		s.Config.TLSConfig = s.TLS
		s.URL = "https://" + s.Listener.Addr().String()
		go func() { _ = s.Config.ServeTLS(s.Listener, "", "") }()
		f.Cleanup(func() { _ = s.Config.Close() })
	} else {
		s.Start()
		f.Cleanup(s.Close)
	}
	return s
}

// client returns a client that trusts the authority, and has a certificate if one is given.
func (f *files) client(certificates ...tls.Certificate) *http.Client {
	transport := &http.Transport{
		TLSClientConfig:   &tls.Config{RootCAs: f.ca.Pool(), Certificates: slices.Clone(certificates)},
		DisableKeepAlives: true, ForceAttemptHTTP2: true,
	}
	f.Cleanup(transport.CloseIdleConnections)
	return &http.Client{Transport: transport, Timeout: bound}
}

// get returns the response, and its body as text.
func get(t testing.TB, client *http.Client, url, user, password string) (*http.Response, string) {
	t.Helper()
	request, err := http.NewRequest(http.MethodGet, url, nil)
	testbed.Must(t, err)
	if user != "" {
		request.SetBasicAuth(user, password)
	}
	response, err := client.Do(request)
	testbed.Must(t, err)
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	testbed.Must(t, err)
	return response, string(body)
}
