// Package webconfig serves HTTP as Prometheus's web configuration file demands: TLS, client certificates, users with
// bcrypt passwords, and headers. The format and the TLS part are those of exporter-toolkit. Its own server has no paths
// without a password, so the users are checked here.
package webconfig

import (
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"github.com/prometheus/exporter-toolkit/web"
	"go.yaml.in/yaml/v2"
	"golang.org/x/crypto/bcrypt"
)

const (
	maxFile = 1 << 20 // bytes
	// maxCost bounds the cost of the bcrypt hashes. A comparison at 14 takes about a second of CPU.
	maxCost = 14
)

// state is the content of the files at one time. It is immutable.
type state struct {
	sum     [sha256.Size]byte // of all files
	tls     *tls.Config       // nil for plain HTTP
	headers map[string]string
	users   map[string]string // bcrypt hashes, by user
}

// Check returns why a web configuration file cannot be used, or nil. The error contains nothing secret.
func Check(path string) error {
	_, err := load(path)
	return err
}

// Files returns a web configuration file and the files that it names. It returns none for "" and for a file that cannot
// be used.
func Files(path string) []string {
	if path == "" {
		return nil
	}
	c, _, err := read(path)
	if err != nil {
		return nil
	}
	return append(named(c), path)
}

// named returns the files that a configuration names.
func named(c *web.Config) []string {
	return slices.DeleteFunc([]string{c.TLSConfig.TLSCertPath, c.TLSConfig.TLSKeyPath, c.TLSConfig.ClientCAs},
		func(name string) bool { return name == "" })
}

// Certificate returns the certificate that a server with this file presents. It returns nil if the file has no TLS.
func Certificate(path string) (*x509.Certificate, error) {
	s, err := load(path)
	if err != nil || s.tls == nil {
		return nil, err
	}
	return x509.ParseCertificate(s.tls.Certificates[0].Certificate[0])
}

// load reads and checks the file and those that it names.
func load(path string) (*state, error) {
	c, sum, err := read(path)
	if err != nil {
		return nil, err
	}
	s := &state{sum: sum, headers: c.HTTPConfig.Header}
	if s.users, err = users(c); err != nil { // before Validate, whose error does not name the user
		return nil, err
	}
	if err := web.Validate(path); err != nil { // it reads the file again
		return nil, plain(err)
	}
	if c.RateLimiterConfig != (web.RateLimiterConfig{}) {
		return nil, errors.New("rate_limit is not supported")
	}
	if c.TLSConfig.IsEnabled() {
		if s.tls, err = tlsConfig(c); err != nil {
			return nil, plain(err)
		}
	}
	return s, nil
}

// read parses the file and returns a checksum of it and of the files that it names. The defaults are those of
// exporter-toolkit.
func read(path string) (*web.Config, [sha256.Size]byte, error) {
	c := &web.Config{
		TLSConfig:  web.TLSConfig{MinVersion: tls.VersionTLS12, MaxVersion: tls.VersionTLS13},
		HTTPConfig: web.HTTPConfig{HTTP2: true},
	}
	all := sha256.New()
	content, err := readFile(path)
	if err != nil {
		return nil, [sha256.Size]byte{}, err
	}
	if err := yaml.UnmarshalStrict(content, c); err != nil {
		return nil, [sha256.Size]byte{}, plain(err)
	}
	c.TLSConfig.SetDirectory(filepath.Dir(path))
	all.Write(content)
	for _, name := range named(c) {
		if content, err = readFile(name); err != nil {
			return nil, [sha256.Size]byte{}, err
		}
		fmt.Fprintf(all, "\x00%d\x00", len(content))
		all.Write(content)
	}
	return c, [sha256.Size]byte(all.Sum(nil)), nil
}

// readFile reads a regular file: opening a FIFO would wait for its writer.
func readFile(path string) ([]byte, error) {
	switch info, err := os.Stat(path); {
	case err != nil:
		return nil, err
	case !info.Mode().IsRegular():
		return nil, fmt.Errorf("%s is not a regular file", path)
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	content, err := io.ReadAll(io.LimitReader(f, maxFile+1))
	if err == nil && len(content) > maxFile {
		err = fmt.Errorf("%s is larger than %d bytes", path, maxFile)
	}
	return content, err
}

// users returns the hashes of the users.
func users(c *web.Config) (map[string]string, error) {
	all := map[string]string{}
	for name, hash := range c.Users {
		switch cost, err := bcrypt.Cost([]byte(hash)); {
		case err != nil:
			return nil, fmt.Errorf("basic_auth_users: the password of %q is not a bcrypt hash", name)
		case cost > maxCost:
			return nil, fmt.Errorf("basic_auth_users: the bcrypt cost of %q is %d, above %d", name, cost, maxCost)
		}
		all[name] = string(hash)
	}
	return all, nil
}

// tlsConfig returns the configuration with the certificate as it is now.
func tlsConfig(c *web.Config) (*tls.Config, error) {
	t, err := web.ConfigToTLSConfig(&c.TLSConfig)
	if err != nil {
		return nil, err
	}
	certificate, err := t.GetCertificate(nil)
	if err != nil {
		return nil, err
	}
	if t.ClientCAs != nil && t.ClientCAs.Equal(x509.NewCertPool()) {
		return nil, errors.New("client_ca has no certificate")
	}
	// A session that is resumed skips client_allowed_sans, which a reload may have changed.
	t.SessionTicketsDisabled = t.ClientAuth != tls.NoClientCert
	t.GetCertificate, t.Certificates = nil, []tls.Certificate{*certificate}
	t.NextProtos = []string{"http/1.1"}
	if c.HTTPConfig.HTTP2 {
		t.NextProtos = []string{"h2", "http/1.1"}
	}
	return t, nil
}

// quotation matches a part of the file that an error of the YAML library quotes.
var quotation = regexp.MustCompile("`[^`]*`")

// plain returns the error in one line and without quotations of the file, which may be secrets.
func plain(err error) error {
	text := strings.Join(strings.Fields(quotation.ReplaceAllString(err.Error(), "(not shown)")), " ")
	return errors.New(strings.ReplaceAll(text, "yaml: unmarshal errors: ", ""))
}
