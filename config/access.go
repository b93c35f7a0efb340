package config

import (
	"crypto/x509"
	"errors"
	"fmt"
	"io/fs"
	"net/netip"
	"strings"

	"github.com/signal-sidecar/signal-sidecar/webconfig"
)

var (
	errNetworks = errors.New("comma-separated networks or addresses, such as 10.0.0.0/8, ::1")
	errHosts    = errors.New("comma-separated host names or IP addresses without a port, such as shard1.example.com, ::1")
)

// networks parses a comma-separated list of networks and addresses. "" returns none. A network of IPv4-mapped IPv6
// addresses becomes the IPv4 network.
func networks(s string) (all []netip.Prefix, err error) {
	for _, text := range list(s) {
		network, err := netip.ParsePrefix(text)
		if err != nil {
			address, err := netip.ParseAddr(text)
			if err != nil || address.Zone() != "" {
				return nil, errNetworks
			}
			network = netip.PrefixFrom(address, address.BitLen())
		}
		if network.Addr().Is4In6() {
			if network.Bits() < 96 {
				return nil, errNetworks
			}
			network = netip.PrefixFrom(network.Addr().Unmap(), network.Bits()-96)
		}
		all = append(all, network.Masked())
	}
	return all, nil
}

// hosts parses a comma-separated list of names for the Host header. "" returns none. The names are in lower case, and
// IPv6 addresses have no brackets.
func hosts(s string) (all []string, err error) {
	for _, text := range list(s) {
		if strings.HasPrefix(text, "[") && strings.HasSuffix(text, "]") {
			text = text[1 : len(text)-1]
		}
		name, err := host(text)
		if err != nil || strings.Contains(name, "*") { // there are no patterns
			return nil, errHosts
		}
		all = append(all, strings.ToLower(strings.TrimSuffix(name, ".")))
	}
	return all, nil
}

// list returns the elements of a comma-separated list, without the white space around them. "" has none.
func list(s string) []string {
	if strings.TrimSpace(s) == "" {
		return nil
	}
	all := strings.Split(s, ",")
	for i := range all {
		all[i] = strings.TrimSpace(all[i])
	}
	return all
}

// authorities checks a file of CA certificates. "" stands for the system's.
func authorities(path string) (string, error) {
	path = strings.TrimSpace(path)
	if path == "" {
		return "", nil
	}
	_, err := Authorities(path)
	return path, err
}

// webConfig checks a web configuration file. "" stands for none.
func webConfig(path string) (string, error) {
	path = strings.TrimSpace(path)
	if path == "" {
		return "", nil
	}
	if err := webconfig.Check(path); err != nil {
		if own := (*fs.PathError)(nil); errors.As(err, &own) && own.Path == path {
			err = own.Err // the message has the path already, without what may be a secret
		}
		return "", fmt.Errorf("a web configuration file that can be used: %w", err)
	}
	return path, nil
}

// Authorities reads a file of CA certificates (PEM).
func Authorities(path string) (*x509.CertPool, error) {
	content, err := readPEM(path)
	if err != nil {
		return nil, err
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(content) {
		return nil, errPEM
	}
	return pool, nil
}
