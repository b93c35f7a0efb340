package main

import (
	"crypto/x509"
	"fmt"
	"log/slog"

	"github.com/signal-sidecar/signal-sidecar/config"
	"github.com/signal-sidecar/signal-sidecar/rest"
	"github.com/signal-sidecar/signal-sidecar/webconfig"
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

// openWebConfig reads WEB_CONFIG_FILE. It returns nil without one.
func openWebConfig(c config.Config, log *slog.Logger) (*webconfig.File, error) {
	if c.WebConfigFile == "" {
		return nil, nil //nolint:nilnil // there is none
	}
	f, err := webconfig.Open(c.WebConfigFile, log)
	if err != nil {
		return nil, fmt.Errorf("WEB_CONFIG_FILE=%q: %w", c.WebConfigFile, err)
	}
	return f, nil
}

// restAccess returns who may read the HTTP ports; nil for everybody.
func (s *sidecar) restAccess() rest.Access {
	if s.web == nil {
		return nil // a nil *File in the interface would not be nil
	}
	return s.web
}
