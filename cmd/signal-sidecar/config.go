package main

import (
	"errors"
	"fmt"
	"log/slog"
	"os"
	"time"

	"github.com/alecthomas/kong"

	"github.com/signal-sidecar/signal-sidecar/health"
	"github.com/signal-sidecar/signal-sidecar/otel"
	"github.com/signal-sidecar/signal-sidecar/telemetry"
)

// config is every setting with its type, checked.
type config struct {
	httpAddress, tcpAddress string // host:port to bind
	pageAddress             string // host:port to bind, "" for off
	metrics                 bool

	holdAddress string // host:port to bind, "" for off
	hold        time.Duration

	jicofoOrigin, prosodyOrigin string
	statusPath                  string
	interval, timeout           time.Duration
	recovery                    time.Duration // where it is shorter than interval
	retries                     int
	censusHost                  string

	rules health.Config

	jicofoDump, prosodyDump string

	consul consulConfig

	traceKeep telemetry.Keep
	traceURL  string // with {trace_id} in it, "" for none

	logLevel slog.Level
	logText  bool

	recordPath    string // "" for none
	recordMaxSize int64  // bytes

	// given is the settings as text; notices are those that are not in force as they were given, one sentence each.
	given   *reader
	notices []string
}

type consulConfig struct {
	host                 string
	port                 int
	secure               bool
	status, reports      bool
	statusKey, reportKey string
	interval             time.Duration
	censusReports        bool
}

// newConfig reads every setting. The error joins a *settingError for each problem.
func newConfig(ctx *kong.Context, env *environment) (config, error) {
	r := newReader(ctx, env)
	httpHost, httpPort, pagePort := read(r, "HTTP_ADDR", bindHost), read(r, "HTTP_PORT", port), read(r, "PAGE_PORT", portOrOff)
	agentHost, agentPort, holdPort := read(r, "TCP_ADDR", bindHost), read(r, "TCP_PORT", port), read(r, "TCP_HOLD_PORT", portOrOff)
	c := config{
		given:         r,
		notices:       env.notices,
		httpAddress:   joinAddress(httpHost, httpPort),
		pageAddress:   optionalAddress(httpHost, pagePort),
		tcpAddress:    joinAddress(agentHost, agentPort),
		metrics:       read(r, "METRICS", boolean),
		holdAddress:   optionalAddress(agentHost, holdPort),
		hold:          read(r, "AGENT_HOLD", positiveSeconds),
		jicofoOrigin:  read(r, "JICOFO_ORIG", service),
		prosodyOrigin: read(r, "PROSODY_ORIG", service),
		statusPath:    read(r, "STATUS_PATH", notEmpty),
		interval:      read(r, "POLLING_INTERVAL", positiveSeconds),
		recovery:      read(r, "RECOVERY_POLLING_INTERVAL", positiveSeconds),
		timeout:       read(r, "PROBE_TIMEOUT", positiveSeconds),
		retries:       read(r, "PROBE_RETRIES", retries),
		censusHost:    read(r, "CENSUS_HOST", hostOrNone),
		rules: health.Config{
			ParticipantMax:       read(r, "PARTICIPANT_MAX", positiveCount),
			WeightParticipants:   read(r, "WEIGHT_PARTICIPANTS", boolean),
			HealthDampening:      read(r, "HEALTH_DAMPENING_INTERVAL", seconds),
			DrainGrace:           read(r, "DRAIN_GRACE_INTERVAL", seconds),
			UnreachableTolerance: read(r, "UNREACHABLE_TOLERANCE", seconds),
			AgentDescription:     read(r, "AGENT_DESCRIPTION", boolean),
			Census:               read(r, "CENSUS_POLL", boolean),
			Instance:             otel.NewInstance(),
			DrainGraceScope:      read(r, "DRAIN_GRACE_SCOPE", oneOf(health.ScopeJicofo, health.ScopeSoft)),
		},
		jicofoDump:  read(r, "JICOFO_DUMP", anything),
		prosodyDump: read(r, "PROSODY_DUMP", anything),
		consul:      readConsul(r),
		recordPath:  read(r, "RECORD_PATH", anything), recordMaxSize: read(r, "RECORD_MAX_SIZE", fileSize),
		traceKeep: read(r, "TRACE_KEEP", oneOf(telemetry.KeepAll, telemetry.KeepIncidents)),
		traceURL:  read(r, "TRACE_URL_TEMPLATE", traceURL),
		logLevel:  read(r, "LOG_LEVEL", logLevel),
		logText:   read(r, "LOG_FORMAT", oneOf("json", "text")) == "text",
	}
	c.participantAlias()
	r.checkPorts(listenSetting{"HTTP_PORT", httpHost, httpPort}, listenSetting{"TCP_PORT", agentHost, agentPort},
		listenSetting{"TCP_HOLD_PORT", agentHost, holdPort}, listenSetting{"PAGE_PORT", httpHost, pagePort})
	c.notices = append(c.notices, r.checkOpenTelemetry(env)...)
	if err := errors.Join(r.problems...); err != nil {
		return config{}, err
	}
	c.normalize()
	if notice := blockedNotice(pagePort); notice != "" {
		c.notices = append(c.notices, notice)
	}
	return c, nil
}

// readConsul reads CONSUL_* and CENSUS_REPORTS. Where and how Consul is reached is read only while a feature uses it:
// Kubernetes gives every pod a CONSUL_PORT=tcp://… beside a Service with the name consul.
func readConsul(r *reader) consulConfig {
	c := consulConfig{
		status:        read(r, "CONSUL_STATUS", boolean),
		reports:       read(r, "CONSUL_REPORTS", boolean),
		censusReports: read(r, "CENSUS_REPORTS", boolean),
	}
	if !c.status && !c.reports {
		return c
	}
	c.host = read(r, "CONSUL_HOST", host)
	c.port = read(r, "CONSUL_PORT", port)
	c.secure = read(r, "CONSUL_SECURE", boolean)
	c.statusKey = read(r, "CONSUL_STATUS_KEY", notEmpty)
	c.reportKey = read(r, "CONSUL_REPORT_KEY", notEmpty)
	c.interval = read(r, "CONSUL_REPORTS_INTERVAL", positiveSeconds)
	return c
}

// optionalAddress is where a port is that may be off, "" for off.
func optionalAddress(host string, port int) string {
	if port < 0 {
		return ""
	}
	return joinAddress(host, port)
}

// participantAlias lets PARTIPANT_MAX, the original README's spelling, stand for PARTICIPANT_MAX.
func (c *config) participantAlias() {
	r := c.given
	alias, proper := r.values["PARTIPANT_MAX"], r.values["PARTICIPANT_MAX"]
	if alias.raw == "" {
		return
	}
	n := read(r, "PARTIPANT_MAX", positiveCount)
	if n == 0 || c.rules.ParticipantMax == 0 { // one of them is a problem by itself
		return
	}
	if proper.origin != "default" && n != c.rules.ParticipantMax {
		r.problem("PARTIPANT_MAX", alias, fmt.Errorf("the same as PARTICIPANT_MAX=%q (%s), of which it is another spelling", proper.raw, proper.origin))
		return
	}
	c.rules.ParticipantMax = n
	r.values["PARTICIPANT_MAX"] = value{alias.raw, "PARTIPANT_MAX, " + alias.origin}
}

// normalize brings the settings in line with each other and notes what is not in force as it was given.
func (c *config) normalize() {
	r := c.given
	rules, warnings := c.rules.Normalize()
	if rules.DrainGrace != c.rules.DrainGrace {
		r.values["DRAIN_GRACE_INTERVAL"] = value{rules.DrainGrace.String(), "forced above HEALTH_DAMPENING_INTERVAL"}
	}
	c.rules, c.notices = rules, append(c.notices, warnings...)
	// The original's package ships HA_PORT, which nothing ever read.
	if legacy, agent := os.Getenv("HA_PORT"), r.values["TCP_PORT"].raw; legacy != "" && legacy != agent {
		c.notices = append(c.notices, fmt.Sprintf("HA_PORT=%s is not read, and never was: the agent's port is TCP_PORT=%s", legacy, agent))
	}
	if c.rules.Census && c.censusHost == "" {
		c.notices = append(c.notices, "CENSUS_POLL without CENSUS_HOST requests the census of the host in PROSODY_ORIG, "+
			"which is 404 unless prosody serves it as a domain: set CENSUS_HOST to the domain, such as meet.example.com")
	}
	if c.consul.status || c.consul.reports {
		c.notices = append(c.notices, "CONSUL_STATUS and CONSUL_REPORTS have no effect: this version does not speak to Consul")
	}
}
