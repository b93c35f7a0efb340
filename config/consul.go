package config

import (
	"errors"
	"fmt"
	"net"
	"net/url"
	"os"
	"regexp"
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
	consulAddrName      = "CONSUL_HTTP_ADDR"
	consulTokenFileName = "CONSUL_HTTP_TOKEN_FILE" //nolint:gosec // G101: a name
	consulSSLName       = "CONSUL_HTTP_SSL"
	consulVerifyName    = "CONSUL_HTTP_SSL_VERIFY"
	consulCACertName    = "CONSUL_CACERT"
	consulCAPathName    = "CONSUL_CAPATH"
	consulCertName      = "CONSUL_CLIENT_CERT"
	consulKeyName       = "CONSUL_CLIENT_KEY"
)

// The settings of the sidecar. The first three beat CONSUL_HTTP_ADDR.
const (
	consulHostName   = "CONSUL_HOST"
	consulPortName   = "CONSUL_PORT"
	consulSecureName = "CONSUL_SECURE"

	consulStatusKeyName = "CONSUL_STATUS_KEY"
	consulReportKeyName = "CONSUL_REPORT_KEY"
)

var (
	errConsulAddr = errors.New("an address of Consul's HTTP API: host:port, a URL with http or https, or unix:// and a path")
	errCAPath     = errors.New("a folder that can be read")
	errKeyPair    = errors.New("a certificate whose key is in " + consulKeyName + ", both in PEM")
	errKey        = errors.New("a key that does not begin with /")
	errSameKey    = errors.New("another key than " + consulStatusKeyName)
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
	get := func(name string) value { return value{strings.TrimSpace(os.Getenv(name)), env.originOf(name)} }
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
		Token: get("CONSUL_HTTP_TOKEN").text, TokenFile: get(consulTokenFileName).text,
		CAFile: get(consulCACertName).text, CAPath: get(consulCAPathName).text,
		CertFile: get(consulCertName).text, KeyFile: get(consulKeyName).text,
		ServerName: get("CONSUL_TLS_SERVER_NAME").text, Insecure: !truth(consulVerifyName, true),
		Namespace: get("CONSUL_NAMESPACE").text, Partition: get("CONSUL_PARTITION").text,
	}
	client.User, client.Password, _ = strings.Cut(get("CONSUL_HTTP_AUTH").text, ":")
	c.checkConsulFiles(get)
	c.consulKeys()
	address, err := parseConsulAddress(get(consulAddrName).text, truth(consulSSLName, false))
	if err != nil {
		r.problem(consulAddrName, get(consulAddrName), err)
		return
	}
	client.URL = c.consulURL(address)
}

// checkConsulFiles checks that the certificates can be used.
func (c *Config) checkConsulFiles(get func(string) value) {
	r, client := c.reader, c.Consul.Client
	if client.CAFile != "" {
		if _, err := certificates(client.CAFile); err != nil {
			r.problem(consulCACertName, get(consulCACertName), err)
		}
	}
	if info, err := os.Stat(client.CAPath); client.CAPath != "" && (err != nil || !info.IsDir()) {
		r.problem(consulCAPathName, get(consulCAPathName), errCAPath)
	}
	switch {
	case (client.CertFile == "") != (client.KeyFile == ""):
		r.problem(consulCertName, get(consulCertName), errPair)
	case client.CertFile != "" && !isKeyPair(client.CertFile, client.KeyFile):
		r.problem(consulCertName, get(consulCertName), errKeyPair)
	}
}

// consulKeys replaces {hostname} and {attribute} in the keys that are used.
func (c *Config) consulKeys() {
	r := c.reader
	attributes := resourceAttributeMap(os.Getenv("OTEL_RESOURCE_ATTRIBUTES"))
	if name, err := os.Hostname(); err == nil {
		attributes["hostname"] = name
	}
	expand := func(name string, key *string, used bool) {
		if !used || *key == "" {
			return
		}
		expanded, err := expandKey(*key, attributes)
		if err != nil {
			r.problem(name, r.values[name], err)
		}
		*key = expanded
	}
	k := &c.Consul
	expand(consulStatusKeyName, &k.StatusKey, k.Status)
	expand(consulReportKeyName, &k.ReportKey, k.Reports)
	if k.Status && k.Reports && k.StatusKey == k.ReportKey && k.StatusKey != "" {
		r.problem(consulReportKeyName, r.values[consulReportKeyName], errSameKey)
	}
}

var placeholder = regexp.MustCompile(`\{([^{}]*)\}`)

// expandKey replaces each {name} in a key by the value of that name.
func expandKey(key string, values map[string]string) (string, error) {
	var problem error
	expanded := placeholder.ReplaceAllStringFunc(key, func(found string) string {
		value := values[strings.Trim(found, "{}")]
		if value == "" {
			problem = fmt.Errorf("a key with {hostname} and attributes of OTEL_RESOURCE_ATTRIBUTES in braces; it has no %s", found)
		}
		return value
	})
	if problem == nil && (strings.HasPrefix(expanded, "/") || strings.TrimSpace(expanded) == "") {
		problem = errKey
	}
	return expanded, problem
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
	if err != nil || u.User != nil || u.RawQuery != "" || u.ForceQuery || u.Fragment != "" ||
		strings.HasSuffix(u.Host, ":") { // such as unix:/run/consul.sock, which lacks two slashes
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
