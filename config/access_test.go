package config

import (
	"fmt"
	"net/netip"
	"slices"
	"testing"
)

func TestNetworks(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"":                          "[]",
		"10.0.0.0/8, ::1":           "[10.0.0.0/8 ::1/128]",
		" 192.0.2.7 ,2001:db8::/32": "[192.0.2.7/32 2001:db8::/32]",
		"10.1.2.3/8":                "[10.0.0.0/8]",
		"0.0.0.0/0,::/0":            "[0.0.0.0/0 ::/0]",
		"::ffff:10.0.0.0/104":       "[10.0.0.0/8]",
		"::ffff:192.0.2.7":          "[192.0.2.7/32]",
	} {
		got, err := networks(text)
		if fmt.Sprint(got) != want || err != nil {
			t.Errorf("%q: %v, %v, want %s", text, got, err, want)
		}
	}
	mapped, _ := networks("::ffff:10.0.0.0/104")
	if !mapped[0].Contains(netip.MustParseAddr("10.9.9.9")) {
		t.Error("a mapped network does not contain the IPv4 address")
	}
}

func TestHosts(t *testing.T) {
	t.Parallel()
	for text, want := range map[string][]string{
		"":                              nil,
		"Shard1.Example.com, shard1":    {"shard1.example.com", "shard1"},
		"shard1.example.com.,10.0.0.1":  {"shard1.example.com", "10.0.0.1"},
		"[::1],2001:DB8::1 , localhost": {"::1", "2001:db8::1", "localhost"},
	} {
		if got, err := hosts(text); !slices.Equal(got, want) || err != nil {
			t.Errorf("%q: %q, %v, want %q", text, got, err, want)
		}
	}
}
