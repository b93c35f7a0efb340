package config

import "os"

// setting is a variable, its default, and three other accepted values.
type setting struct {
	name     string
	initial  string
	accepted [3]string
}

var settings = []setting{
	{"HTTP_PORT", "6000", [3]string{"0", "6001", "65535"}},
	{"HTTP_ADDR", "", [3]string{"127.0.0.1", "::1", "localhost"}},
	{"PAGE_PORT", "off", [3]string{"0", "6002", "OFF"}},
	{"TCP_PORT", "6060", [3]string{"0", "6061", "65534"}},
	{"TCP_ADDR", "", [3]string{"127.0.0.1", "::1", "localhost"}},
	{"METRICS", "true", [3]string{"no", "YES", "Off"}},
	{"AGENT_DESCRIPTION", "false", [3]string{"yes", "T", "1"}},
	{"TCP_HOLD_PORT", "off", [3]string{"0", "6062", "OFF"}},
	{"AGENT_HOLD", "5", [3]string{"0.5", "10s", "7"}},
	{"WEB_CONFIG_FILE", "", spellings("testdata/web.yml")},
	{"HTTP_HOSTS", "", [3]string{"shard1", "Shard1.example.com, ::1", "10.0.0.1,[::1]"}},
	{"TCP_ALLOW", "", [3]string{"10.0.0.0/8, ::1", "127.0.0.1", "::ffff:10.0.0.0/104,0.0.0.0/0"}},
	{"PROBE_CA_FILE", "", spellings("testdata/authority.pem")},
	{"JICOFO_ORIG", "http://localhost:8888", [3]string{"https://jicofo", "http://[::1]:8888", "http://jicofo:80/base"}},
	{"PROSODY_ORIG", "http://localhost:5280", [3]string{"https://prosody", "http://127.0.0.1:5280", "HTTP://prosody:1/"}},
	{"STATUS_PATH", "/etc/jitsi/shard-status", [3]string{"/a", "b", "/a folder/status"}},
	{"POLLING_INTERVAL", "5", [3]string{"0.25", "1500ms", "1m"}},
	{"RECOVERY_POLLING_INTERVAL", "1", [3]string{"0.25", "1500ms", "1m"}},
	{"PROBE_TIMEOUT", "3", [3]string{"0.25", "1500ms", "1m"}},
	{"PROBE_RETRIES", "2", [3]string{"0", "1", "100"}},
	{"UNREACHABLE_TOLERANCE", "0", [3]string{"1.5", "2s", "1m"}},
	{"PARTICIPANT_MAX", "5000", [3]string{"1", "100", "1000000000"}},
	{"WEIGHT_PARTICIPANTS", "false", [3]string{"t", "Y", "1"}},
	{"CENSUS_POLL", "false", [3]string{"T", "yes", "ON"}},
	{"CENSUS_HOST", "", [3]string{"meet.example.com", "10.0.0.1:5280", "::1"}},
	{"HEALTH_DAMPENING_INTERVAL", "30", [3]string{"0", "1.5", "10s"}},
	{"DRAIN_GRACE_INTERVAL", "120", [3]string{"0", "60.5", "2m"}},
	{"DRAIN_GRACE_SCOPE", "jicofo", [3]string{"soft", "SOFT", "Jicofo"}},
	{"JICOFO_DUMP", "", [3]string{"/usr/bin/dump", "/usr/bin/dump jicofo", "dump -a"}},
	{"PROSODY_DUMP", "", [3]string{"/usr/bin/dump", "/usr/bin/dump prosody", "dump -a"}},
	{"STATE_PATH", "off", [3]string{"OFF", "state", "/a folder/state.json"}},
	{"RECORD_PATH", "", [3]string{"/recording", "recording", "/a folder/recording"}},
	{"RECORD_MAX_SIZE", "67108864", [3]string{"65536", "1000000", "1099511627776"}},
	{"TRACE_KEEP", "all", [3]string{"incidents", "INCIDENTS", "All"}},
	{"TRACE_URL_TEMPLATE", "", [3]string{
		"http://localhost:16686/trace/{trace_id}", "https://tempo/explore?left=%7B%22{trace_id}%22%7D",
		"http://[::1]/#{trace_id}"}},
	{"LOG_LEVEL", "info", [3]string{"debug", "Warn", "ERROR"}},
	{"LOG_FORMAT", "json", [3]string{"text", "TEXT", "Json"}},
	{"CONSUL_HOST", "localhost", [3]string{"consul", "::1", "10.0.0.1"}},
	{"CONSUL_PORT", "8500", [3]string{"0", "8501", "65535"}},
	{"CONSUL_SECURE", "false", [3]string{"true", "f", "1"}},
	{"CONSUL_STATUS", "false", [3]string{"no", "Off", "0"}},
	{"CONSUL_STATUS_KEY", "shard-state", [3]string{"a", "shard-states/env/shard", "b c"}},
	{"CONSUL_REPORTS", "false", [3]string{"no", "Off", "0"}},
	{"CONSUL_REPORT_KEY", "shard-report", [3]string{"a", "signal-report/env/shard", "b c"}},
	{"CONSUL_REPORTS_INTERVAL", "60", [3]string{"0.5", "10s", "1m"}},
	{"CENSUS_REPORTS", "false", [3]string{"true", "f", "1"}},
	{"CONSUL_FLEET", "false", [3]string{"no", "f", "0"}},
}

// spellings returns three absolute paths of a file.
func spellings(path string) [3]string {
	folder, _ := os.Getwd() // in which go test runs
	return [3]string{folder + "/" + path, folder + "//" + path, folder + "/./" + path}
}

// choose gives every setting its accepted value with that index.
func choose(number int) vars {
	all := vars{}
	for _, s := range settings {
		all[s.name] = s.accepted[number]
	}
	return all
}
