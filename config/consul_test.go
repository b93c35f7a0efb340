package config

import "testing"

// TestConsulAddress checks which address wins: CONSUL_HTTP_ADDR, or those of CONSUL_HOST, CONSUL_PORT and CONSUL_SECURE
// that are set.
func TestConsulAddress(t *testing.T) {
	t.Parallel()
	const unset = ""
	for _, c := range []struct {
		address, host, port, secure string
		ssl                         bool
		want                        string // "" for an error
	}{
		{"", unset, unset, unset, false, "http://localhost:8500"},
		{"", unset, unset, unset, true, "https://localhost:8500"},
		{"consul:8501", unset, unset, unset, false, "http://consul:8501"},
		{"http://consul:8501", unset, unset, unset, true, "https://consul:8501"},
		{"https://consul.example.com/consul/", unset, unset, unset, false, "https://consul.example.com/consul"},
		{"[::1]:8500", unset, unset, unset, false, "http://[::1]:8500"},
		{"https://[::1]", unset, unset, unset, false, "https://[::1]"},
		{"unix:///run/consul.sock", unset, unset, unset, true, "unix:///run/consul.sock"},
		{"unix:///run/consul.sock", unset, unset, "true", false, "unix:///run/consul.sock"},
		{"unix:///run/consul.sock", "consul", unset, unset, false, "http://consul:8500"},
		{"https://a:1/prefix", "b", unset, unset, false, "https://b:1"},
		{"https://a:1/prefix", unset, "2", unset, false, "https://a:2/prefix"},
		{"https://a:1", unset, unset, "false", true, "http://a:1"},
		{"a:1", "::1", "2", "true", false, "https://[::1]:2"},
		{"https://a", "b", unset, unset, false, "https://b:8500"},
		{"ftp://a", unset, unset, unset, false, ""},
		{"http://admin:pw@a:1", unset, unset, unset, false, ""},
		{"http://a:1?x=y", unset, unset, unset, false, ""},
		{"http://", unset, unset, unset, false, ""},
		{"a b", unset, unset, unset, false, ""},
		{"a:99999", unset, unset, unset, false, ""},
		{"unix://", unset, unset, unset, false, ""},
	} {
		config := Config{Consul: Consul{host: "localhost", port: 8500}, reader: &reader{values: map[string]value{}}}
		for _, s := range []struct{ name, text string }{
			{consulHostName, c.host}, {consulPortName, c.port}, {consulSecureName, c.secure},
		} {
			v := value{origin: originDefault}
			if s.text != unset {
				v = value{s.text, "flag"}
			}
			config.reader.values[s.name] = v
			for _, section := range sections {
				for _, d := range section.settings {
					if d.name == s.name && s.text != unset {
						config.reader.read(&config, d)
					}
				}
			}
		}
		address, err := parseConsulAddress(c.address, c.ssl)
		got := ""
		if err == nil {
			got = config.consulURL(address)
		}
		if got != c.want {
			t.Errorf("%+v: %q, error %v", c, got, err)
		}
	}
}
