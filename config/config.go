// Package config declares the settings: their names, defaults and help. It parses and checks them, and reads files of
// variables.
package config

import (
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"os"
	"strconv"
	"time"

	"github.com/alecthomas/kong"

	"github.com/signal-sidecar/signal-sidecar/health"
)

// Config contains all settings, parsed and checked.
type Config struct {
	HTTPAddress, TCPAddress string // host:port to bind
	PageAddress             string // host:port to bind, "" for off
	HoldAddress             string // host:port to bind, "" for off
	Hold                    time.Duration
	Metrics                 bool

	WebConfigFile string         // "" for none
	HTTPHosts     []string       // in lower case; none for all names
	TCPAllow      []netip.Prefix // none for all addresses
	ProbeCAFile   string         // "" for the system's authorities

	JicofoOrigin, ProsodyOrigin string
	StatusPath                  string
	Interval, Timeout           time.Duration
	Recovery                    time.Duration // used if it is shorter than Interval
	Retries                     int
	CensusHost                  string

	Rules health.Config

	JicofoDump, ProsodyDump string

	Consul Consul

	TraceKeep string // "all" or "incidents"
	TraceURL  string // contains {trace_id}; "" for none
	LogLevel  slog.Level
	LogFormat string // "json" or "text"
	EnvFile   string

	StatePath     string // "" for off
	RecordPath    string // "" for none
	RecordMaxSize int64  // bytes

	// Notices has one sentence for each setting that does not take effect as it was set.
	Notices []string

	httpHost, tcpHost                     string // "" for all interfaces
	httpPort, pagePort, tcpPort, holdPort int    // 0 for a free one, -1 for off
	partipantMax                          float64
	consulCommand                         bool // whether the command uses Consul
	reader                                *reader
}

// Load reads and checks all settings. The error joins an *Error for each problem.
func Load(ctx *kong.Context, env *Environment) (Config, error) { return loadFor(ctx, env, false) }

// LoadForConsul is Load for a command that uses Consul: it also reads and checks the settings of Consul.
func LoadForConsul(ctx *kong.Context, env *Environment) (Config, error) {
	return loadFor(ctx, env, true)
}

func loadFor(ctx *kong.Context, env *Environment, consulCommand bool) (Config, error) {
	env.printNote()
	r := newReader(ctx, env)
	c := Config{reader: r, Notices: env.notices, consulCommand: consulCommand}
	for _, conditional := range []bool{false, true} { // settings without a condition first: the conditions depend on them
		for _, s := range sections {
			for _, d := range s.settings {
				if conditional == (d.needed != nil) && (d.needed == nil || d.needed(&c)) {
					r.read(&c, d)
				}
			}
		}
	}
	c.participantAlias()
	c.readConsul(env)
	c.findStateFile()
	r.checkFiles(c.files(), c.Consul.Client.CAPath, env)
	r.checkPorts(listenSetting{httpPortName, c.httpHost, c.httpPort}, listenSetting{tcpPortName, c.tcpHost, c.tcpPort},
		listenSetting{tcpHoldPortName, c.tcpHost, c.holdPort}, listenSetting{pagePortName, c.httpHost, c.pagePort})
	c.Notices = append(c.Notices, r.checkOpenTelemetry(env)...)
	if err := errors.Join(r.problems...); err != nil {
		return Config{}, err
	}
	c.HTTPAddress, c.PageAddress = address(c.httpHost, c.httpPort), address(c.httpHost, c.pagePort)
	c.TCPAddress, c.HoldAddress = address(c.tcpHost, c.tcpPort), address(c.tcpHost, c.holdPort)
	c.normalize()
	return c, nil
}

// IsDefault reports whether a setting has its default because it was not set.
func (c *Config) IsDefault(variable string) bool {
	return c.reader.values[variable].origin == originDefault
}

// address returns host:port to bind, "" for a port that is off.
func address(host string, port int) string {
	if port < 0 {
		return ""
	}
	return JoinAddress(host, port)
}

// JoinAddress joins a host and a port. The host "" means all interfaces.
func JoinAddress(host string, port int) string { return net.JoinHostPort(host, strconv.Itoa(port)) }

// participantAlias makes PARTIPANT_MAX, the spelling in the original's README, an alias of PARTICIPANT_MAX.
func (c *Config) participantAlias() {
	r := c.reader
	alias, proper := r.values[partipantMaxName], r.values[participantMaxName]
	if c.partipantMax == 0 || c.Rules.ParticipantMax == 0 { // not set, or already reported as a problem
		return
	}
	if proper.origin != originDefault && c.partipantMax != c.Rules.ParticipantMax {
		r.problem(partipantMaxName, alias, fmt.Errorf("the same as %s=%q (%s), of which it is another spelling",
			participantMaxName, proper.text, proper.origin))
		return
	}
	c.Rules.ParticipantMax = c.partipantMax
	r.values[participantMaxName] = value{alias.text, partipantMaxName + ", " + alias.origin}
}

// normalize makes the settings consistent and adds a notice for each that does not take effect as it was set.
func (c *Config) normalize() {
	r := c.reader
	rules, warnings := c.Rules.Normalize()
	if rules.DrainGrace != c.Rules.DrainGrace {
		r.values[drainGraceIntervalName] = value{rules.DrainGrace.String(), "forced above HEALTH_DAMPENING_INTERVAL"}
	}
	c.Rules, c.Notices = rules, append(c.Notices, warnings...)
	// The original's package contains HA_PORT, which no version ever read.
	if legacy, agent := os.Getenv("HA_PORT"), r.values[tcpPortName].text; legacy != "" && legacy != agent {
		c.Notices = append(c.Notices, fmt.Sprintf(
			"HA_PORT=%s is not read, and never was: the agent's port is TCP_PORT=%s", legacy, agent))
	}
	if c.Rules.Census && c.CensusHost == "" {
		c.Notices = append(c.Notices, "CENSUS_POLL without CENSUS_HOST requests the census of the host in PROSODY_ORIG, "+
			"which is 404 unless prosody serves it as a domain: set CENSUS_HOST to the domain, such as meet.example.com")
	}
	if c.Consul.CensusReports && c.Consul.Reports && !c.Rules.Census {
		c.Notices = append(c.Notices, "CENSUS_REPORTS without CENSUS_POLL publishes no rooms: set CENSUS_POLL=true")
	}
	if BlockedInBrowsers(c.pagePort) {
		c.Notices = append(c.Notices, fmt.Sprintf("PAGE_PORT=%d cannot be opened in a browser: "+
			"it is on the Fetch standard's list of blocked ports; set another, such as 6001", c.pagePort))
	}
}
