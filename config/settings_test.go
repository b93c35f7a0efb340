package config

import (
	"reflect"
	"strings"
	"testing"
)

// texts has two values for each setting that accepts neither numbers nor booleans.
var texts = map[string][2]string{
	"JICOFO_ORIG": {"http://a", "http://b"}, "PROSODY_ORIG": {"http://a", "http://b"},
	"TCP_ALLOW":       {"10.0.0.0/8", "::1"},
	"WEB_CONFIG_FILE": {"testdata/web.yml", "./testdata/web.yml"},
	"PROBE_CA_FILE":   {"testdata/authority.pem", "./testdata/authority.pem"},

	"DRAIN_GRACE_SCOPE": {"soft", "jicofo"},
	"TRACE_KEEP":        {"all", "incidents"}, "TRACE_URL_TEMPLATE": {"http://a/{trace_id}", "http://b/{trace_id}"},
	"LOG_LEVEL": {"debug", "warn"}, "LOG_FORMAT": {"text", "json"}, "RECORD_MAX_SIZE": {"65536", "65537"},
}

// TestEverySetting checks each declaration: its variable is unique, its default is accepted, it changes the
// configuration, and no other setting is stored in the same field.
func TestEverySetting(t *testing.T) {
	var all []declaration
	for _, s := range sections {
		all = append(all, s.settings...)
	}
	values := func(d declaration) [2]string {
		if d.boolean {
			return [2]string{"true", "false"}
		}
		if v, ok := texts[d.name]; ok {
			return v
		}
		return [2]string{"17", "18"}
	}
	seen := map[string]bool{}
	for _, d := range all {
		if seen[d.name] || d.name != strings.ToUpper(d.name) || d.help == "" {
			t.Errorf("%q is declared twice, is no variable or has no help", d.name)
		}
		seen[d.name] = true
		if err := d.parse(new(Config), d.initial); d.initial != "" && err != nil {
			t.Errorf("%s=%q, the default: must be %v", d.name, d.initial, err)
		}
		var c Config
		if err := d.parse(&c, values(d)[0]); err != nil || reflect.DeepEqual(c, Config{}) {
			t.Errorf("%s=%q changes nothing: %v", d.name, values(d)[0], err)
		}
		for _, other := range all {
			both := c
			if other.name == d.name || other.parse(&both, values(other)[1]) != nil {
				continue
			}
			again := both
			if err := d.parse(&again, values(d)[0]); err != nil || !reflect.DeepEqual(again, both) {
				t.Errorf("%s changes what %s has set", other.name, d.name)
			}
		}
	}
	for _, name := range []string{
		httpPortName, tcpPortName, tcpHoldPortName, pagePortName, participantMaxName, partipantMaxName,
		drainGraceIntervalName,
	} {
		if !seen[name] {
			t.Errorf("%s is checked, but not declared", name)
		}
	}
}
