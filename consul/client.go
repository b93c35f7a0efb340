// Package consul connects a signal node with the key/value store of Consul: it writes the value of a key to the status
// file, and publishes the report of the node at another key.
package consul

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"time"

	"github.com/hashicorp/consul/api"
	"go.opentelemetry.io/contrib/instrumentation/net/http/otelhttp"
	"go.opentelemetry.io/otel/metric"
	metricnoop "go.opentelemetry.io/otel/metric/noop"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/trace"
	tracenoop "go.opentelemetry.io/otel/trace/noop"
)

const (
	connectTimeout = 5 * time.Second // to connect, and for the TLS handshake

	defaultTimeout   = 10 * time.Second
	defaultMaxAnswer = 4 << 20  // bytes; a value of 512 KiB is 700 KB in JSON
	maxHeaderBytes   = 64 << 10 // of an answer

	idleTimeout = 2 * time.Minute
	maxIdle     = 4 // connections
)

// ClientOptions contains how Consul's HTTP API is reached. Only URL is required.
type ClientOptions struct {
	URL string // scheme http, https or unix; may have a path that precedes the paths of the API

	Token     string
	TokenFile string // read at each request, so that a rotated token is used; beats Token

	User, Password string // of basic authentication; User "" for none

	CAFile, CAPath    string // "" for the CAs of the system
	CertFile, KeyFile string // client certificate, "" for none
	ServerName        string // in the certificate of the server; "" for the host of URL
	Insecure          bool   // does not verify the certificate of the server

	Namespace, Partition, Datacenter string // "" for the default ones

	// Timeout is the limit of a request, without the time for which a blocking query waits. 0 means 10 seconds.
	Timeout time.Duration
	// MaxAnswer limits the body of an answer in bytes. 0 means 4 MiB.
	MaxAnswer int64

	TracerProvider trace.TracerProvider // nil for no spans
	MeterProvider  metric.MeterProvider // nil for no metrics
}

// NewClient returns a client of Consul's HTTP API. An error of its requests names the method and the URL. An answer
// with an unexpected status is a *StatusError.
func NewClient(o ClientOptions) (*api.Client, error) {
	u, err := url.Parse(o.URL)
	if err != nil {
		return nil, fmt.Errorf("address of Consul: %w", err)
	}
	tlsConfig, err := api.SetupTLSConfig(&api.TLSConfig{
		Address: o.ServerName, CAFile: o.CAFile, CAPath: o.CAPath,
		CertFile: o.CertFile, KeyFile: o.KeyFile, InsecureSkipVerify: o.Insecure,
	})
	if err != nil {
		return nil, fmt.Errorf("TLS to Consul: %w", err)
	}
	return newAPIClient(o, u, newHTTPClient(o, u, tlsConfig))
}

// newAPIClient returns the library's client. The library also reads the environment for what it is not given.
func newAPIClient(o ClientOptions, u *url.URL, client *http.Client) (*api.Client, error) {
	c := &api.Config{
		Address: u.Host, Scheme: u.Scheme, PathPrefix: u.Path, HttpClient: client,
		Namespace: o.Namespace, Partition: o.Partition, Datacenter: o.Datacenter,
		Token: "set by authenticator", // keeps the library from reading the file of the token once and for all
	}
	if u.Scheme == "unix" {
		c.Address, c.Scheme, c.PathPrefix = "localhost", "http", ""
	}
	if o.User != "" {
		c.HttpAuth = &api.HttpBasicAuth{Username: o.User, Password: o.Password}
	}
	return api.NewClient(c)
}

// keepAlive ends a connection whose other side is gone without a word within 30 s. Otherwise a blocking query would
// notice that only when its time is over, minutes after a change of the key.
var keepAlive = net.KeepAliveConfig{Enable: true, Idle: 15 * time.Second, Interval: 5 * time.Second, Count: 3}

// newHTTPClient returns a client that does not follow redirects: another host would get the token.
func newHTTPClient(o ClientOptions, u *url.URL, tlsConfig *tls.Config) *http.Client {
	dial := (&net.Dialer{Timeout: connectTimeout, KeepAliveConfig: keepAlive}).DialContext
	if u.Scheme == "unix" {
		toAddress := dial
		dial = func(ctx context.Context, _, _ string) (net.Conn, error) { return toAddress(ctx, "unix", u.Path) }
	}
	if o.Timeout == 0 {
		o.Timeout = defaultTimeout
	}
	if o.MaxAnswer == 0 {
		o.MaxAnswer = defaultMaxAnswer
	}
	if o.TracerProvider == nil {
		o.TracerProvider = tracenoop.NewTracerProvider()
	}
	if o.MeterProvider == nil {
		o.MeterProvider = metricnoop.NewMeterProvider()
	}
	var transport http.RoundTripper = &http.Transport{
		Proxy:                  nil, // as the probes: Consul's agent runs on the same host
		DialContext:            dial,
		TLSClientConfig:        tlsConfig,
		TLSHandshakeTimeout:    connectTimeout,
		MaxIdleConnsPerHost:    maxIdle,
		IdleConnTimeout:        idleTimeout,
		MaxResponseHeaderBytes: maxHeaderBytes,
	}
	transport = otelhttp.NewTransport(transport,
		otelhttp.WithTracerProvider(o.TracerProvider), otelhttp.WithMeterProvider(o.MeterProvider),
		otelhttp.WithPropagators(propagation.NewCompositeTextMapPropagator()))
	transport = &authenticator{transport, o.Token, o.TokenFile}
	transport = &checker{transport, o.Timeout, o.MaxAnswer}
	return &http.Client{
		Transport:     transport,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

// StatusError is an answer with a status that is not expected. The client wraps it in a *url.Error, which names the
// request.
type StatusError struct {
	Code       int
	Text       string        // begin of the body in one line, "" for none
	Location   string        // of a redirect
	RetryAfter time.Duration // 0 if the answer does not contain it
}

func (e *StatusError) Error() string {
	switch {
	case e.Location != "":
		return fmt.Sprintf("answered %d, a redirect to %s, which is not followed", e.Code, e.Location)
	case e.Text != "":
		return fmt.Sprintf("answered %d: %s", e.Code, e.Text)
	default:
		return fmt.Sprintf("answered %d", e.Code)
	}
}

// ErrHTML is the error of an answer that is a page for people: a proxy, a login page, or another program.
var ErrHTML = errors.New("answered with HTML, so it is not Consul's HTTP API")

// ErrTooLarge is the error of an answer whose body is larger than MaxAnswer.
var ErrTooLarge = errors.New("sent a reply that is too large")
