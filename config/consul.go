package config

import (
	"errors"
	"net"
	"net/url"
	"os"
	"strconv"
	"strings"
	"time"
)

// Consul contains the settings of Consul. Without a feature or a command that uses Consul only the boolean fields are
// set.
type Consul struct {
	Client               ConsulClient
	Status, Reports      bool
	Fleet                bool
	StatusKey, ReportKey string
	Interval             time.Duration
	CensusReports        bool

	host   string
	port   int
	secure bool
}

// ConsulClient contains how Consul's HTTP API is reached. Most of it comes from the variables of Consul's own clients.
type ConsulClient struct {
	URL            string // scheme http, https or unix; may have a path that precedes the paths of the API
	Token          string
	TokenFile      string // "" for none; beats Token
	User, Password string // of basic authentication; User "" for none
	CAFile, CAPath string
	CertFile       string
	KeyFile        string
	ServerName     string // "" for the host of URL
	Insecure       bool   // whether the certificate of the server is not verified
	Namespace      string
	Partition      string
}

// The variables of Consul's own clients.
const (
	consulAddrName   = "CONSUL_HTTP_ADDR"
	consulSSLName    = "CONSUL_HTTP_SSL"
	consulVerifyName = "CONSUL_HTTP_SSL_VERIFY"
	consulCertName   = "CONSUL_CLIENT_CERT"
	consulKeyName    = "CONSUL_CLIENT_KEY"
)

// The settings that beat CONSUL_HTTP_ADDR.
const (
	consulHostName   = "CONSUL_HOST"
	consulPortName   = "CONSUL_PORT"
	consulSecureName = "CONSUL_SECURE"
)

var (
	errConsulAddr = errors.New("an address of Consul's HTTP API: host:port, a URL with http or https, or unix:// and a path")
	errPair       = errors.New("set together with the other of " + consulCertName + " and " + consulKeyName)
)

// usesConsul reports whether a feature or the command needs Consul. The address of Consul is read only then: Kubernetes
// sets CONSUL_PORT=tcp://… in every pod if there is a Service with the name consul.
func usesConsul(c *Config) bool {
	return c.Consul.Status || c.Consul.Reports || c.Consul.Fleet || c.consulCommand
}

// readConsul reads the variables of Consul's own clients.
func (c *Config) readConsul(env *Environment) {
	if !usesConsul(c) {
		return
	}
	r, client := c.reader, &c.Consul.Client
	get := func(name string) value { return value{os.Getenv(name), env.originOf(name)} }
	truth := func(name string, initial bool) bool {
		v := get(name)
		if v.text == "" {
			return initial
		}
		b, err := boolean(v.text)
		if err != nil {
			r.problem(name, v, err)
		}
		return b
	}
	*client = ConsulClient{
		Token: get("CONSUL_HTTP_TOKEN").text, TokenFile: get("CONSUL_HTTP_TOKEN_FILE").text,
		CAFile: get("CONSUL_CACERT").text, CAPath: get("CONSUL_CAPATH").text,
		CertFile: get(consulCertName).text, KeyFile: get(consulKeyName).text,
		ServerName: get("CONSUL_TLS_SERVER_NAME").text, Insecure: !truth(consulVerifyName, true),
		Namespace: get("CONSUL_NAMESPACE").text, Partition: get("CONSUL_PARTITION").text,
	}
	client.User, client.Password, _ = strings.Cut(get("CONSUL_HTTP_AUTH").text, ":")
	if (client.CertFile == "") != (client.KeyFile == "") {
		r.problem(consulCertName, get(consulCertName), errPair)
	}
	address, err := parseConsulAddress(get(consulAddrName).text, truth(consulSSLName, false))
	if err != nil {
		r.problem(consulAddrName, get(consulAddrName), err)
		return
	}
	client.URL = c.consulURL(address)
}

// parseConsulAddress parses CONSUL_HTTP_ADDR as Consul's own clients do. secure makes the scheme https.
func parseConsulAddress(text string, secure bool) (*url.URL, error) {
	if text == "" {
		text = "localhost:8500"
	}
	if !strings.Contains(text, "://") {
		text = "http://" + text
	}
	u, err := url.Parse(text)
	if err != nil || u.User != nil || u.RawQuery != "" || u.ForceQuery || u.Fragment != "" {
		return nil, errConsulAddr
	}
	u.Path = strings.TrimRight(u.Path, "/")
	switch u.Scheme {
	case "unix":
		if u.Host != "" || u.Path == "" {
			return nil, errConsulAddr
		}
		return u, nil
	case "http", "https":
		if _, err := Origin(u.String()); err != nil {
			return nil, errConsulAddr
		}
		if secure {
			u.Scheme = "https"
		}
		return u, nil
	default:
		return nil, errConsulAddr
	}
}

// consulURL returns the URL of CONSUL_HTTP_ADDR with the parts that CONSUL_HOST, CONSUL_PORT and CONSUL_SECURE set.
func (c *Config) consulURL(address *url.URL) string {
	set := func(name string) bool { return c.reader.values[name].origin != originDefault }
	u := *address
	if u.Scheme == "unix" && (set(consulHostName) || set(consulPortName)) {
		u = url.URL{Scheme: "http", Host: "localhost:8500"}
	}
	host, port := u.Hostname(), u.Port()
	if set(consulHostName) {
		host, u.Path = c.Consul.host, ""
		if port == "" {
			port = strconv.Itoa(c.Consul.port)
		}
	}
	if set(consulPortName) {
		port = strconv.Itoa(c.Consul.port)
	}
	if set(consulSecureName) && u.Scheme != "unix" {
		u.Scheme = map[bool]string{false: "http", true: "https"}[c.Consul.secure]
	}
	switch {
	case u.Scheme == "unix":
	case port != "":
		u.Host = net.JoinHostPort(host, port)
	case strings.Contains(host, ":"):
		u.Host = "[" + host + "]"
	default:
		u.Host = host
	}
	return u.String()
}
