package main

import (
	"strings"

	"github.com/alecthomas/kong"
)

// settings declares every setting: its flag, of which the environment variable is the same name in capitals, its default
// and its help. All are read as text here; config.go gives them their types, so that every problem can be reported.
type settings struct {
	HTTPPort text `name:"http-port" default:"6000" group:"listen" placeholder:"PORT" help:"Port of the REST server; 0 takes a free one."`
	HTTPAddr text `name:"http-addr" group:"listen" placeholder:"ADDRESS" help:"Address that both ports of the REST server bind; all interfaces without it."`
	PagePort text `name:"page-port" default:"off" group:"listen" placeholder:"PORT" help:"Second port of the REST server, for people: browsers refuse port 6000; off without it, 0 takes a free one."`
	TCPPort  text `name:"tcp-port" default:"6060" group:"listen" placeholder:"PORT" help:"Port of the HAProxy agent; 0 takes a free one."`
	TCPAddr  text `name:"tcp-addr" group:"listen" placeholder:"ADDRESS" help:"Address that both ports of the HAProxy agent bind; all interfaces without it."`
	Metrics  flag `name:"metrics" default:"true" group:"listen" help:"Serve /metrics."`

	AgentDescription flag `name:"agent-description" default:"false" group:"listen" help:"Add the root reason to the agent reply; HAProxy shows it in its log and statistics."`

	TCPHoldPort text `name:"tcp-hold-port" default:"off" group:"listen" placeholder:"PORT" help:"Port of the held HAProxy agent, which answers when the line changes; off without it, 0 takes a free one."`
	AgentHold   text `name:"agent-hold" default:"5" group:"listen" placeholder:"SECONDS" help:"How long the held agent holds a connection while nothing changes; > 0, below HAProxy's timeout check."`

	JicofoOrig              text `name:"jicofo-orig" default:"http://localhost:8888" group:"probes" placeholder:"URL" help:"Origin of jicofo; user:password@ before the host is sent as basic authentication."`
	ProsodyOrig             text `name:"prosody-orig" default:"http://localhost:5280" group:"probes" placeholder:"URL" help:"Origin of prosody; the same."`
	StatusPath              text `name:"status-path" default:"/etc/jitsi/shard-status" group:"probes" placeholder:"FILE" help:"The drain status file: ready, drain, maint or unhealthy."`
	PollingInterval         text `name:"polling-interval" default:"5" group:"probes" placeholder:"SECONDS" help:"From the start of a poll to the start of the next; > 0."`
	RecoveryPollingInterval text `name:"recovery-polling-interval" default:"1" group:"probes" placeholder:"SECONDS" help:"The same while jicofo, or prosody, is unhealthy, where it is shorter; > 0."`
	ProbeTimeout            text `name:"probe-timeout" default:"3" group:"probes" placeholder:"SECONDS" help:"For one probe, its retries included; > 0."`
	ProbeRetries            text `name:"probe-retries" default:"2" group:"probes" placeholder:"N" help:"Further tries after a transport error, 0 to 100."`
	CensusPoll              flag `name:"census-poll" default:"false" group:"probes" help:"Poll prosody's room census."`
	CensusHost              text `name:"census-host" group:"probes" placeholder:"HOST" help:"The domain whose rooms the census counts, such as meet.example.com, without conference. before it: the Host header of the census request."`

	ParticipantMax          text `name:"participant-max" default:"5000" group:"rules" placeholder:"N" help:"A ready node with more participants is drained; > 0. PARTIPANT_MAX works too."`
	PartipantMax            text `name:"partipant-max" hidden:"" group:"rules" help:"The original's spelling of PARTICIPANT_MAX."`
	WeightParticipants      flag `name:"weight-participants" default:"false" group:"rules" help:"Derive the weight from the participants."`
	UnreachableTolerance    text `name:"unreachable-tolerance" default:"0" group:"rules" placeholder:"SECONDS" help:"For so long a jicofo or prosody that was healthy may refuse or reset connections before that counts; 0 disables."`
	HealthDampeningInterval text `name:"health-dampening-interval" default:"30" group:"rules" placeholder:"SECONDS" help:"Still unhealthy for so long after the last unhealthy observation; 0 disables."`
	DrainGraceInterval      text `name:"drain-grace-interval" default:"120" group:"rules" placeholder:"SECONDS" help:"Drain instead of down for so long after jicofo turned unhealthy, or prosody was too slow; 0 disables, else above the dampening interval."`
	DrainGraceScope         text `name:"drain-grace-scope" default:"jicofo" group:"rules" placeholder:"jicofo|soft" help:"What of jicofo the grace covers: any failure, or a soft one (503) only."`

	JicofoDump  text `name:"jicofo-dump" group:"dumps" placeholder:"COMMAND" help:"Run when jicofo turns unhealthy: a path and its arguments, without a shell."`
	ProsodyDump text `name:"prosody-dump" group:"dumps" placeholder:"COMMAND" help:"Run when prosody turns unhealthy."`

	ConsulHost            text `name:"consul-host" default:"localhost" group:"consul" placeholder:"HOST" help:"Host of Consul's HTTP API."`
	ConsulPort            text `name:"consul-port" default:"8500" group:"consul" placeholder:"PORT" help:"Port of Consul's HTTP API."`
	ConsulSecure          flag `name:"consul-secure" default:"false" group:"consul" help:"Speak HTTPS to Consul."`
	ConsulStatus          flag `name:"consul-status" default:"false" group:"consul" help:"Watch a key and write its value to the status file."`
	ConsulStatusKey       text `name:"consul-status-key" default:"shard-state" group:"consul" placeholder:"KEY" help:"The key to watch."`
	ConsulReports         flag `name:"consul-reports" default:"false" group:"consul" help:"Publish the report."`
	ConsulReportKey       text `name:"consul-report-key" default:"shard-report" group:"consul" placeholder:"KEY" help:"The key to publish at."`
	ConsulReportsInterval text `name:"consul-reports-interval" default:"60" group:"consul" placeholder:"SECONDS" help:"Publish at least so often; > 0."`
	CensusReports         flag `name:"census-reports" default:"false" group:"consul" help:"Add the rooms to the published report."`

	TraceKeep text `name:"trace-keep" default:"all" group:"process" placeholder:"all|incidents" help:"Polls whose traces are exported: all, or those around a change of the verdict and one quiet one in 60."`
	TraceURL  text `name:"trace-url-template" group:"process" placeholder:"URL" help:"Where the status page links traces to, {trace_id} being the trace; no links without it."`
	LogLevel  text `name:"log-level" default:"info" group:"process" placeholder:"debug|info|warn|error" help:"Lowest level that is logged."`
	LogFormat text `name:"log-format" default:"json" group:"process" placeholder:"json|text" help:"Form of the log, on standard output."`
	EnvFile   text `name:"env-file" default:".env" group:"process" placeholder:"FILE" help:"File of KEY=value lines, used where the environment has no such variable: as dotenv reads it if its name is .env, else as systemd reads EnvironmentFile=. A file named here must exist."`

	RecordPath    text `name:"record-path" group:"process" placeholder:"FILE" help:"Record all that is observed to this file, for replay; five files are kept."`
	RecordMaxSize text `name:"record-max-size" default:"67108864" group:"process" placeholder:"BYTES" help:"Size at which the recording begins a new file; at least 65536."`
}

// aboutSettings is what holds for all settings.
const aboutSettings = "Seconds may be fractions, or durations such as 30s or 2m.\n" +
	"Booleans: true/false, t/f, yes/no, on/off, 1/0. A flag beats the environment, which beats the file."

// settingGroups are the headings of --help.
var settingGroups = []kong.Group{
	{Key: "listen", Title: "Listeners:"},
	{Key: "probes", Title: "Probes and status file:"},
	{Key: "rules", Title: "Verdict:"},
	{Key: "dumps", Title: "Dumps:"},
	{Key: "consul", Title: "Consul:", Description: "Without effect in this version. Checked while CONSUL_STATUS or CONSUL_REPORTS is on."},
	{Key: "process", Title: "Process:", Description: "OpenTelemetry's own OTEL_* variables hold too. " + aboutSettings},
}

// text is a setting as it was given.
type text string

// flag is a boolean setting as it was given; a bare --flag is true.
type flag string

// IsBool implements kong.BoolMapperValue.
func (*flag) IsBool() bool { return true }

// Decode implements kong.MapperValue.
func (f *flag) Decode(ctx *kong.DecodeContext) error { //nolint:unparam // kong's interface
	*f = "true"
	if ctx.Scan.Peek().Type == kong.FlagValueToken {
		*f = flag(ctx.Scan.Pop().String())
	}
	return nil
}

// variable is the environment variable of a flag.
func variable(flagName string) string {
	return strings.ToUpper(strings.ReplaceAll(flagName, "-", "_"))
}

// helpWithVariable adds the environment variable and the default to a flag's help.
func helpWithVariable(v *kong.Value) string {
	if v.Flag == nil || v.Flag.Group == nil {
		return v.Help
	}
	help := v.Help + " " + variable(v.Name)
	if v.HasDefault {
		help += " [" + v.Default + "]"
	}
	return help
}
