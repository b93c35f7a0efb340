package main

import (
	"errors"
	"fmt"

	"github.com/hashicorp/consul/api"

	"github.com/signal-sidecar/signal-sidecar/config"
	"github.com/signal-sidecar/signal-sidecar/consul"
)

// consulClientOptions returns how Consul is reached with these settings.
func consulClientOptions(c config.ConsulClient) consul.ClientOptions {
	return consul.ClientOptions{
		URL: c.URL, Token: c.Token, TokenFile: c.TokenFile, User: c.User, Password: c.Password,
		CAFile: c.CAFile, CAPath: c.CAPath, CertFile: c.CertFile, KeyFile: c.KeyFile,
		ServerName: c.ServerName, Insecure: c.Insecure, Namespace: c.Namespace, Partition: c.Partition,
	}
}

// checkConsulFiles checks that the certificates for Consul can be read.
func checkConsulFiles(c config.ConsulClient) error {
	var problems []error
	for _, part := range []struct {
		name, value string
		files       api.TLSConfig
	}{
		{"CONSUL_CACERT", c.CAFile, api.TLSConfig{CAFile: c.CAFile}},
		{"CONSUL_CAPATH", c.CAPath, api.TLSConfig{CAPath: c.CAPath}},
		{"CONSUL_CLIENT_CERT", c.CertFile, api.TLSConfig{CertFile: c.CertFile, KeyFile: c.KeyFile}},
	} {
		if _, err := api.SetupTLSConfig(&part.files); err != nil {
			problems = append(problems,
				config.NewError(part.name, part.value, "environment", fmt.Errorf("usable: %w", err)))
		}
	}
	return errors.Join(problems...)
}
