package testbed

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net"
	"testing"
	"time"
)

// Authority signs certificates for tests.
type Authority struct {
	PEM         string // its own certificate
	certificate *x509.Certificate
	key         *ecdsa.PrivateKey
}

// NewAuthority returns a new authority.
func NewAuthority(t testing.TB) *Authority {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	Must(t, err)
	template := certificateTemplate(t, "authority")
	template.IsCA, template.BasicConstraintsValid = true, true
	a := &Authority{certificate: template, key: key}
	a.certificate, a.PEM = a.sign(t, template, key)
	return a
}

// Issue returns a certificate for a name and for 127.0.0.1, for servers and clients, and its key, in PEM. It is valid
// for an hour.
func (a *Authority) Issue(t testing.TB, name string) (certificate, key string) {
	t.Helper()
	return a.IssueUntil(t, name, time.Now().Add(time.Hour))
}

// IssueUntil is like Issue, for a certificate that is valid until a time.
func (a *Authority) IssueUntil(t testing.TB, name string, end time.Time) (certificate, key string) {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	Must(t, err)
	template := certificateTemplate(t, name)
	template.NotAfter = end
	_, certificate = a.sign(t, template, private)
	pkcs8, err := x509.MarshalPKCS8PrivateKey(private)
	Must(t, err)
	return certificate, encodePEM("PRIVATE KEY", pkcs8)
}

// Pool returns a pool with only this authority.
func (a *Authority) Pool() *x509.CertPool {
	pool := x509.NewCertPool()
	pool.AddCert(a.certificate)
	return pool
}

func (a *Authority) sign(t testing.TB, template *x509.Certificate, key *ecdsa.PrivateKey) (*x509.Certificate, string) {
	t.Helper()
	der, err := x509.CreateCertificate(rand.Reader, template, a.certificate, &key.PublicKey, a.key)
	Must(t, err)
	certificate, err := x509.ParseCertificate(der)
	Must(t, err)
	return certificate, encodePEM("CERTIFICATE", der)
}

func certificateTemplate(t testing.TB, name string) *x509.Certificate {
	t.Helper()
	serial, err := rand.Int(rand.Reader, big.NewInt(1<<62))
	Must(t, err)
	return &x509.Certificate{
		SerialNumber: serial, Subject: pkix.Name{CommonName: name}, DNSNames: []string{name},
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		NotBefore:   time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
	}
}

func encodePEM(kind string, der []byte) string {
	return string(pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}))
}
