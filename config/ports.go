package config

import (
	"fmt"
	"net"
	"slices"
)

// blockedPorts are the ports on which browsers open no page (Fetch standard, "port blocking"). 0 is left out, because
// no server can listen on it.
var blockedPorts = []int{
	1, 7, 9, 11, 13, 15, 17, 19, 20, 21, 22, 23, 25, 37, 42, 43, 53, 69, 77, 79, 87, 95, 101, 102, 103, 104, 109, 110,
	111, 113, 115, 117, 119, 123, 135, 137, 139, 143, 161, 179, 389, 427, 465, 512, 513, 514, 515, 526, 530, 531, 532,
	540, 548, 554, 556, 563, 587, 601, 636, 989, 990, 993, 995, 1719, 1720, 1723, 2049, 3659, 4045, 4190, 5060, 5061,
	6000, 6566, 6665, 6666, 6667, 6668, 6669, 6679, 6697, 10080,
}

// BlockedInBrowsers reports whether browsers open no page on a port.
func BlockedInBrowsers(port int) bool { return slices.Contains(blockedPorts, port) }

// listenSetting is a port that this process listens on.
type listenSetting struct {
	name string
	host string // "" for all interfaces
	port int    // 0 for one that is free, -1 for off
}

// checkPorts records a problem for each port on which two of the settings would listen.
func (r *reader) checkPorts(all ...listenSetting) {
	for i, a := range all {
		for _, b := range all[:i] {
			if a.port > 0 && a.port == b.port && hostsOverlap(a.host, b.host) {
				r.problem(a.name, r.values[a.name], fmt.Errorf("a port of its own: %s is %d too", b.name, b.port))
				break
			}
		}
	}
}

func hostsOverlap(a, b string) bool { return a == b || AnyHost(a) || AnyHost(b) }

// AnyHost reports whether a listener on the host listens on all interfaces.
func AnyHost(host string) bool {
	ip := net.ParseIP(host)
	return host == "" || ip != nil && ip.IsUnspecified()
}
