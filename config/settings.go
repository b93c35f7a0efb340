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
const About = "Seconds can be fractions, or durations such as 30s or 2m.\n" +
	"Booleans: true/false, t/f, yes/no, on/off, 1/0. A flag overrides the environment, which overrides the file."

// section is a heading of --help and the settings under it.
type section struct {
	kong.Group
	settings []declaration
}

// sections declares each setting once: variable, default ("" for none), placeholder, help, parser and destination.
var sections = []section{
	{kong.Group{Key: "listen", Title: "Listeners:"}, []declaration{
		declare(httpPortName, "6000", "PORT",
			"Port of the REST server; 0 takes a free port.",
			Port, func(c *Config) *int { return &c.httpPort }),
		declare("HTTP_ADDR", "", "ADDRESS",
			"Address on which both ports of the REST server listen; by default all interfaces.",
			bindHost, func(c *Config) *string { return &c.httpHost }),
		declare(pagePortName, "off", "PORT",
			"Second port of the REST server, for browsers, which refuse port 6000. Off by default; 0 takes a free port.",
			portOrOff, func(c *Config) *int { return &c.pagePort }),
		declare(tcpPortName, "6060", "PORT",
			"Port of the HAProxy agent; 0 takes a free port.",
			Port, func(c *Config) *int { return &c.tcpPort }),
		declare("TCP_ADDR", "", "ADDRESS",
			"Address on which both ports of the HAProxy agent listen; by default all interfaces.",
			bindHost, func(c *Config) *string { return &c.tcpHost }),
		declare("METRICS", "true", "",
			"Serve /metrics.",
			boolean, func(c *Config) *bool { return &c.Metrics }),
		declare("AGENT_DESCRIPTION", "false", "",
			"Add the root reason to the agent reply; HAProxy shows it in its log and statistics.",
			boolean, func(c *Config) *bool { return &c.Rules.AgentDescription }),
		declare(tcpHoldPortName, "off", "PORT",
			"Port of the held HAProxy agent, which replies when its reply changes. Off by default; 0 takes a free port.",
			portOrOff, func(c *Config) *int { return &c.holdPort }),
		declare("AGENT_HOLD", "5", "SECONDS",
			"How long the held agent holds a connection while nothing changes; > 0, and below HAProxy's timeout check.",
			positiveSeconds, func(c *Config) *time.Duration { return &c.Hold }),
	}},
	{kong.Group{Key: "access", Title: "Access:"}, []declaration{
		declare(webConfigFileName, "", "FILE",
			"TLS, client certificates, users and headers of the HTTP ports: Prometheus's web configuration file. /health, "+
				"/signal/health and /about/health need no password. By default the ports are open.",
			webConfig, func(c *Config) *string { return &c.WebConfigFile }),
		declare("HTTP_HOSTS", "", "HOSTS",
			"Comma-separated host names, without port, that the HTTP ports reply to, against DNS rebinding. Requests with "+
				"another name get 421, except for /health, /signal/health and /about/health. By default all names.",
			hosts, func(c *Config) *[]string { return &c.HTTPHosts }),
		declare("TCP_ALLOW", "", "NETWORKS",
			"Comma-separated networks or addresses whose agent checks get a reply, such as 10.0.0.0/8, ::1; by default all.",
			networks, func(c *Config) *[]netip.Prefix { return &c.TCPAllow }),
		declare(probeCAFileName, "", "FILE",
			"CA certificates (PEM) for https origins of jicofo and prosody; by default the system's.",
			authorities, func(c *Config) *string { return &c.ProbeCAFile }),
	}},
	{kong.Group{Key: "probes", Title: "Probes and status file:"}, []declaration{
		declare("JICOFO_ORIG", "http://localhost:8888", "URL",
			"Origin of jicofo; user:password@ before the host is sent as basic authentication.",
			Service, func(c *Config) *string { return &c.JicofoOrigin }),
		declare("PROSODY_ORIG", "http://localhost:5280", "URL",
			"Origin of prosody; user:password@ as for jicofo.",
			Service, func(c *Config) *string { return &c.ProsodyOrigin }),
		declare(statusPathName, "/etc/jitsi/shard-status", "FILE",
			"The drain status file: ready, drain, maint or unhealthy.",
			notEmpty, func(c *Config) *string { return &c.StatusPath }),
		declare("POLLING_INTERVAL", "5", "SECONDS",
			"Time from the start of a poll to the start of the next; > 0.",
			positiveSeconds, func(c *Config) *time.Duration { return &c.Interval }),
		declare("RECOVERY_POLLING_INTERVAL", "1", "SECONDS",
			"Polling interval of jicofo or prosody while it is unhealthy, if it is shorter than POLLING_INTERVAL; > 0.",
			positiveSeconds, func(c *Config) *time.Duration { return &c.Recovery }),
		declare("PROBE_TIMEOUT", "3", "SECONDS",
			"Time limit of one probe, with its retries; > 0.",
			positiveSeconds, func(c *Config) *time.Duration { return &c.Timeout }),
		declare("PROBE_RETRIES", "2", "N",
			"Retries of a probe after a transport error, 0 to 100.",
			retries, func(c *Config) *int { return &c.Retries }),
		declare("CENSUS_POLL", "false", "",
			"Poll prosody's room census.",
			boolean, func(c *Config) *bool { return &c.Rules.Census }),
		declare("CENSUS_HOST", "", "HOST",
			"Domain whose rooms the census counts, such as meet.example.com; do not put conference. before it. It is the "+
				"Host header of the census request.",
			hostOrNone, func(c *Config) *string { return &c.CensusHost }),
	}},
	{kong.Group{Key: "rules", Title: "Verdict:"}, []declaration{
		declare(participantMaxName, "5000", "N",
			"A ready node with more participants drains; > 0. PARTIPANT_MAX works too.",
			positiveCount, func(c *Config) *float64 { return &c.Rules.ParticipantMax }),
		declare(partipantMaxName, "", "",
			"The original's spelling of PARTICIPANT_MAX.",
			positiveCount, func(c *Config) *float64 { return &c.partipantMax }).alias(),
		declare("WEIGHT_PARTICIPANTS", "false", "",
			"Derive the weight from the participants.",
			boolean, func(c *Config) *bool { return &c.Rules.WeightParticipants }),
		declare("UNREACHABLE_TOLERANCE", "0", "SECONDS",
			"How long jicofo or prosody, if it was healthy, may refuse or reset connections before it counts as unhealthy; "+
				"0 disables.",
			Seconds, func(c *Config) *time.Duration { return &c.Rules.UnreachableTolerance }),
		declare("HEALTH_DAMPENING_INTERVAL", "30", "SECONDS",
			"How long the node stays unhealthy after its last unhealthy observation; 0 disables.",
			Seconds, func(c *Config) *time.Duration { return &c.Rules.HealthDampening }),
		declare(drainGraceIntervalName, "120", "SECONDS",
			"How long the node drains before it goes down because jicofo is unhealthy or prosody times out; 0 disables. "+
				"It must be above HEALTH_DAMPENING_INTERVAL if both are on.",
			Seconds, func(c *Config) *time.Duration { return &c.Rules.DrainGrace }),
		declare("DRAIN_GRACE_SCOPE", "jicofo", "jicofo|soft",
			"Failures of jicofo that the drain grace covers: jicofo for all, soft for 503 only.",
			oneOf(health.ScopeJicofo, health.ScopeSoft), func(c *Config) *health.GraceScope { return &c.Rules.DrainGraceScope }),
	}},
	{kong.Group{Key: "dumps", Title: "Dumps:"}, []declaration{
		declare(jicofoDumpName, "", "COMMAND",
			"Command to run when jicofo turns unhealthy: a path and its arguments. No shell is used.",
			anything, func(c *Config) *string { return &c.JicofoDump }),
		declare(prosodyDumpName, "", "COMMAND",
			"Command to run when prosody turns unhealthy.",
			anything, func(c *Config) *string { return &c.ProsodyDump }),
	}},
	{kong.Group{Key: "consul", Title: "Consul:",
		Description: "Most are read and checked only while CONSUL_STATUS, CONSUL_REPORTS or CONSUL_FLEET is on. The CONSUL_HTTP_* " +
			"variables of Consul's own clients work too. A key can contain {hostname} and attributes of " +
			"OTEL_RESOURCE_ATTRIBUTES, such as {jitsi.shard}."}, []declaration{
		declare(consulHostName, "localhost", "HOST",
			"Host of Consul's HTTP API; if set, it replaces the one in CONSUL_HTTP_ADDR.",
			host, func(c *Config) *string { return &c.Consul.host }).neededFor(usesConsul),
		declare(consulPortName, "8500", "PORT",
			"Port of Consul's HTTP API; if set, it replaces the one in CONSUL_HTTP_ADDR.",
			Port, func(c *Config) *int { return &c.Consul.port }).neededFor(usesConsul),
		declare(consulSecureName, "false", "",
			"Use HTTPS for Consul's HTTP API; if set, it replaces the scheme in CONSUL_HTTP_ADDR.",
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
			"Time between two reports while the verdict does not change; > 0.",
			positiveSeconds, func(c *Config) *time.Duration { return &c.Consul.Interval }).neededFor(usesConsul),
		declare("CENSUS_REPORTS", "false", "",
			"Add the rooms to the published report.",
			boolean, func(c *Config) *bool { return &c.Consul.CensusReports }),
		declare("CONSUL_FLEET", "false", "",
			"Serve the page /fleet, which shows all shards in Consul.",
			boolean, func(c *Config) *bool { return &c.Consul.Fleet }),
	}},
	{kong.Group{Key: "process", Title: "Process:",
		Description: "The OTEL_* variables of OpenTelemetry work too. " + About}, []declaration{
		declare("TRACE_KEEP", "all", "all|incidents",
			"Polls whose traces are exported: all, or those around a change of the verdict and one in 60 of the others.",
			oneOf("all", "incidents"), func(c *Config) *string { return &c.TraceKeep }),
		declare("TRACE_URL_TEMPLATE", "", "URL",
			"Target of the trace links on the status page; {trace_id} is replaced by the id. By default there are no links.",
			traceURL, func(c *Config) *string { return &c.TraceURL }),
		declare("LOG_LEVEL", "info", "debug|info|warn|error",
			"Lowest level that is logged.",
			logLevel, func(c *Config) *slog.Level { return &c.LogLevel }),
		declare("LOG_FORMAT", "json", "json|text",
			"Format of the log on standard output.",
			oneOf("json", "text"), func(c *Config) *string { return &c.LogFormat }),
		declare(envFileName, ".env", "FILE",
			"File of KEY=value lines, for variables that the environment does not have. A file with the name .env is read as "+
				"dotenv reads it, any other as systemd reads EnvironmentFile=. A named file must exist. If none is named, status, "+
				"check-config, drain, ready, maint and fleet use .env or /etc/jitsi/signal-sidecar/config.",
			anything, func(c *Config) *string { return &c.EnvFile }),
		declare(statePathName, off, "FILE",
			"File that keeps the state of the flap mitigation, so that a restart does not change the reply. By default "+
				"state.json in systemd's runtime directory; off if there is none.",
			anything, func(c *Config) *string { return &c.StatePath }),
		declare(recordPathName, "", "FILE",
			"File that gets all observations, for replay; five files are kept.",
			anything, func(c *Config) *string { return &c.RecordPath }),
		declare("RECORD_MAX_SIZE", "67108864", "BYTES",
			"Size at which the recording starts a new file; at least 65536.",
			fileSize, func(c *Config) *int64 { return &c.RecordMaxSize }),
	}},
}
