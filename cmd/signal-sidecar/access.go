package main

import (
	"crypto/x509"
	"fmt"

	"github.com/signal-sidecar/signal-sidecar/config"
)

// probeAuthorities returns the certificate authorities that the probes trust. nil means the system's.
func probeAuthorities(c config.Config) (*x509.CertPool, error) {
	if c.ProbeCAFile == "" {
		return nil, nil //nolint:nilnil // as in crypto/tls
	}
	pool, err := config.Authorities(c.ProbeCAFile)
	if err != nil {
		return nil, fmt.Errorf("PROBE_CA_FILE=%q: must be %w", c.ProbeCAFile, err)
	}
	return pool, nil
}
