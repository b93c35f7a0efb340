package config

import (
	"log/slog"
	"net/netip"
	"time"

	"github.com/alecthomas/kong"

	"github.com/signal-sidecar/signal-sidecar/health"
)

// The names of the settings that are compared with others.
const (
	httpPortName           = "HTTP_PORT"
	tcpPortName            = "TCP_PORT"
	tcpHoldPortName        = "TCP_HOLD_PORT"
	pagePortName           = "PAGE_PORT"
	participantMaxName     = "PARTICIPANT_MAX"
	partipantMaxName       = "PARTIPANT_MAX"
	drainGraceIntervalName = "DRAIN_GRACE_INTERVAL"
	statusPathName         = "STATUS_PATH"
	statePathName          = "STATE_PATH"
	recordPathName         = "RECORD_PATH"
	jicofoDumpName         = "JICOFO_DUMP"
	prosodyDumpName        = "PROSODY_DUMP"
	envFileName            = "ENV_FILE"
	probeCAFileName        = "PROBE_CA_FILE"
	webConfigFileName      = "WEB_CONFIG_FILE"
)

// About describes the syntax of all settings.
const About = "Seconds may be fractions, or durations such as 30s or 2m.\n" +
	"Booleans: true/false, t/f, yes/no, on/off, 1/0. A flag beats the environment, which beats the file."

// section is a heading of --help and the settings under it.
type section struct {
	kong.Group
	settings []declaration
}

// sections declares each setting once: variable, default ("" for none), placeholder, help, parser and destination.
var sections = []section{
	{kong.Group{Key: "listen", Title: "Listeners:"}, []declaration{
		declare(httpPortName, "6000", "PORT",
			"Port of the REST server; 0 takes a free one.",
			Port, func(c *Config) *int { return &c.httpPort }),
		declare("HTTP_ADDR", "", "ADDRESS",
			"Address that both ports of the REST server bind; all interfaces without it.",
			bindHost, func(c *Config) *string { return &c.httpHost }),
		declare(pagePortName, "off", "PORT",
			"Second port of the REST server, for people: browsers refuse port 6000; off without it, 0 takes a "+
				"free one.",
			portOrOff, func(c *Config) *int { return &c.pagePort }),
		declare(tcpPortName, "6060", "PORT",
			"Port of the HAProxy agent; 0 takes a free one.",
			Port, func(c *Config) *int { return &c.tcpPort }),
		declare("TCP_ADDR", "", "ADDRESS",
			"Address that both ports of the HAProxy agent bind; all interfaces without it.",
			bindHost, func(c *Config) *string { return &c.tcpHost }),
		declare("METRICS", "true", "",
			"Serve /metrics.",
			boolean, func(c *Config) *bool { return &c.Metrics }),
		declare("AGENT_DESCRIPTION", "false", "",
			"Add the root reason to the agent reply; HAProxy shows it in its log and statistics.",
			boolean, func(c *Config) *bool { return &c.Rules.AgentDescription }),
		declare(tcpHoldPortName, "off", "PORT",
			"Port of the held HAProxy agent, which answers when the line changes; off without it, 0 takes a free one.",
			portOrOff, func(c *Config) *int { return &c.holdPort }),
		declare("AGENT_HOLD", "5", "SECONDS",
			"How long the held agent holds a connection while nothing changes; > 0, below HAProxy's timeout check.",
			positiveSeconds, func(c *Config) *time.Duration { return &c.Hold }),
	}},
	{kong.Group{Key: "access", Title: "Access:"}, []declaration{
		declare(webConfigFileName, "", "FILE",
			"TLS, client certificates, users and headers of the HTTP ports: Prometheus's web configuration file. /health, "+
				"/signal/health and /about/health need no password. Open without it.",
			webConfig, func(c *Config) *string { return &c.WebConfigFile }),
		declare("HTTP_HOSTS", "", "HOSTS",
			"Comma-separated host names that the HTTP ports reply to, without port, against DNS rebinding; others get 421, "+
				"except at /health, /signal/health and /about/health. All names without it.",
			hosts, func(c *Config) *[]string { return &c.HTTPHosts }),
		declare("TCP_ALLOW", "", "NETWORKS",
			"Comma-separated networks or addresses whose agent checks get a reply, such as 10.0.0.0/8, ::1; all without it.",
			networks, func(c *Config) *[]netip.Prefix { return &c.TCPAllow }),
		declare(probeCAFileName, "", "FILE",
			"CA certificates (PEM) for https origins of jicofo and prosody; the system's without it.",
			authorities, func(c *Config) *string { return &c.ProbeCAFile }),
	}},
	{kong.Group{Key: "probes", Title: "Probes and status file:"}, []declaration{
		declare("JICOFO_ORIG", "http://localhost:8888", "URL",
			"Origin of jicofo; user:password@ before the host is sent as basic authentication.",
			Service, func(c *Config) *string { return &c.JicofoOrigin }),
		declare("PROSODY_ORIG", "http://localhost:5280", "URL",
			"Origin of prosody; the same.",
			Service, func(c *Config) *string { return &c.ProsodyOrigin }),
		declare(statusPathName, "/etc/jitsi/shard-status", "FILE",
			"The drain status file: ready, drain, maint or unhealthy.",
			notEmpty, func(c *Config) *string { return &c.StatusPath }),
		declare("POLLING_INTERVAL", "5", "SECONDS",
			"From the start of a poll to the start of the next; > 0.",
			positiveSeconds, func(c *Config) *time.Duration { return &c.Interval }),
		declare("RECOVERY_POLLING_INTERVAL", "1", "SECONDS",
			"The same while jicofo, or prosody, is unhealthy, where it is shorter; > 0.",
			positiveSeconds, func(c *Config) *time.Duration { return &c.Recovery }),
		declare("PROBE_TIMEOUT", "3", "SECONDS",
			"For one probe, its retries included; > 0.",
			positiveSeconds, func(c *Config) *time.Duration { return &c.Timeout }),
		declare("PROBE_RETRIES", "2", "N",
			"Further tries after a transport error, 0 to 100.",
			retries, func(c *Config) *int { return &c.Retries }),
		declare("CENSUS_POLL", "false", "",
			"Poll prosody's room census.",
			boolean, func(c *Config) *bool { return &c.Rules.Census }),
		declare("CENSUS_HOST", "", "HOST",
			"The domain whose rooms the census counts, such as meet.example.com, without conference. before it: "+
				"the Host header of the census request.",
			hostOrNone, func(c *Config) *string { return &c.CensusHost }),
	}},
	{kong.Group{Key: "rules", Title: "Verdict:"}, []declaration{
		declare(participantMaxName, "5000", "N",
			"A ready node with more participants is drained; > 0. PARTIPANT_MAX works too.",
			positiveCount, func(c *Config) *float64 { return &c.Rules.ParticipantMax }),
		declare(partipantMaxName, "", "",
			"The original's spelling of PARTICIPANT_MAX.",
			positiveCount, func(c *Config) *float64 { return &c.partipantMax }).alias(),
		declare("WEIGHT_PARTICIPANTS", "false", "",
			"Derive the weight from the participants.",
			boolean, func(c *Config) *bool { return &c.Rules.WeightParticipants }),
		declare("UNREACHABLE_TOLERANCE", "0", "SECONDS",
			"For so long a jicofo or prosody that was healthy may refuse or reset connections before that "+
				"counts; 0 disables.",
			Seconds, func(c *Config) *time.Duration { return &c.Rules.UnreachableTolerance }),
		declare("HEALTH_DAMPENING_INTERVAL", "30", "SECONDS",
			"Still unhealthy for so long after the last unhealthy observation; 0 disables.",
			Seconds, func(c *Config) *time.Duration { return &c.Rules.HealthDampening }),
		declare(drainGraceIntervalName, "120", "SECONDS",
			"Drain instead of down for so long after jicofo turned unhealthy, or prosody was too slow; 0 "+
				"disables, else above the dampening interval.",
			Seconds, func(c *Config) *time.Duration { return &c.Rules.DrainGrace }),
		declare("DRAIN_GRACE_SCOPE", "jicofo", "jicofo|soft",
			"What of jicofo the grace covers: any failure, or a soft one (503) only.",
			oneOf(health.ScopeJicofo, health.ScopeSoft), func(c *Config) *health.GraceScope { return &c.Rules.DrainGraceScope }),
	}},
	{kong.Group{Key: "dumps", Title: "Dumps:"}, []declaration{
		declare(jicofoDumpName, "", "COMMAND",
			"Run when jicofo turns unhealthy: a path and its arguments, without a shell.",
			anything, func(c *Config) *string { return &c.JicofoDump }),
		declare(prosodyDumpName, "", "COMMAND",
			"Run when prosody turns unhealthy.",
			anything, func(c *Config) *string { return &c.ProsodyDump }),
	}},
	{kong.Group{Key: "consul", Title: "Consul:",
		Description: "Read and checked while CONSUL_STATUS, CONSUL_REPORTS or CONSUL_FLEET is on. Consul's own CONSUL_HTTP_* " +
			"variables hold too. Keys may contain {hostname} and attributes of OTEL_RESOURCE_ATTRIBUTES, such as " +
			"{jitsi.shard}."}, []declaration{
		declare(consulHostName, "localhost", "HOST",
			"Host of Consul's HTTP API; if set, it beats that of CONSUL_HTTP_ADDR.",
			host, func(c *Config) *string { return &c.Consul.host }).neededFor(usesConsul),
		declare(consulPortName, "8500", "PORT",
			"Port of Consul's HTTP API; the same.",
			Port, func(c *Config) *int { return &c.Consul.port }).neededFor(usesConsul),
		declare(consulSecureName, "false", "",
			"Use HTTPS for Consul's HTTP API; the same.",
			boolean, func(c *Config) *bool { return &c.Consul.secure }).neededFor(usesConsul),
		declare("CONSUL_STATUS", "false", "",
			"Watch a key and write its value to the status file: ready, drain, maint or unhealthy.",
			boolean, func(c *Config) *bool { return &c.Consul.Status }),
		declare(consulStatusKeyName, "shard-state", "KEY",
			"The key to watch.",
			notEmpty, func(c *Config) *string { return &c.Consul.StatusKey }).neededFor(usesConsul),
		declare("CONSUL_REPORTS", "false", "",
			"Publish the report at a key.",
			boolean, func(c *Config) *bool { return &c.Consul.Reports }),
		declare(consulReportKeyName, "shard-report", "KEY",
			"The key to publish at.",
			notEmpty, func(c *Config) *string { return &c.Consul.ReportKey }).neededFor(usesConsul),
		declare("CONSUL_REPORTS_INTERVAL", "60", "SECONDS",
			"Between two reports while the verdict does not change; > 0.",
			positiveSeconds, func(c *Config) *time.Duration { return &c.Consul.Interval }).neededFor(usesConsul),
		declare("CENSUS_REPORTS", "false", "",
			"Add the rooms to the published report.",
			boolean, func(c *Config) *bool { return &c.Consul.CensusReports }),
		declare("CONSUL_FLEET", "false", "",
			"Serve the page /fleet: all shards of the fleet, as Consul has them.",
			boolean, func(c *Config) *bool { return &c.Consul.Fleet }),
	}},
	{kong.Group{Key: "process", Title: "Process:",
		Description: "OpenTelemetry's own OTEL_* variables hold too. " + About}, []declaration{
		declare("TRACE_KEEP", "all", "all|incidents",
			"Polls whose traces are exported: all, or those around a change of the verdict and one quiet one in 60.",
			oneOf("all", "incidents"), func(c *Config) *string { return &c.TraceKeep }),
		declare("TRACE_URL_TEMPLATE", "", "URL",
			"Where the status page links traces to, {trace_id} being the trace; no links without it.",
			traceURL, func(c *Config) *string { return &c.TraceURL }),
		declare("LOG_LEVEL", "info", "debug|info|warn|error",
			"Lowest level that is logged.",
			logLevel, func(c *Config) *slog.Level { return &c.LogLevel }),
		declare("LOG_FORMAT", "json", "json|text",
			"Form of the log, on standard output.",
			oneOf("json", "text"), func(c *Config) *string { return &c.LogFormat }),
		declare(envFileName, ".env", "FILE",
			"File of KEY=value lines, used where the environment has no such variable: as dotenv reads it if "+
				"its name is .env, else as systemd reads EnvironmentFile=. A file named here must exist. Without one, status, "+
				"check-config, drain, ready, maint and fleet use .env or /etc/jitsi/signal-sidecar/config.",
			anything, func(c *Config) *string { return &c.EnvFile }),
		declare(statePathName, off, "FILE",
			"Keep the state of the flap mitigation in this file, so that a restart changes no reply; by default "+
				"state.json in systemd's runtime directory, and off without one.",
			anything, func(c *Config) *string { return &c.StatePath }),
		declare(recordPathName, "", "FILE",
			"Record all that is observed to this file, for replay; five files are kept.",
			anything, func(c *Config) *string { return &c.RecordPath }),
		declare("RECORD_MAX_SIZE", "67108864", "BYTES",
			"Size at which the recording begins a new file; at least 65536.",
			fileSize, func(c *Config) *int64 { return &c.RecordMaxSize }),
	}},
}
