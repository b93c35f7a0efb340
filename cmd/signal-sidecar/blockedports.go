package main

import (
	"context"
	"fmt"
	"net"
	"slices"
)

// blockedPorts are the ports that browsers open no page on, by the Fetch standard ("port blocking"), but for 0, which
// nothing can listen on.
var blockedPorts = []int{
	1, 7, 9, 11, 13, 15, 17, 19, 20, 21, 22, 23, 25, 37, 42, 43, 53, 69, 77, 79, 87, 95, 101, 102, 103, 104, 109, 110, 111, 113,
	115, 117, 119, 123, 135, 137, 139, 143, 161, 179, 389, 427, 465, 512, 513, 514, 515, 526, 530, 531, 532, 540, 548, 554, 556,
	563, 587, 601, 636, 989, 990, 993, 995, 1719, 1720, 1723, 2049, 3659, 4045, 4190, 5060, 5061, 6000, 6566, 6665, 6666, 6667,
	6668, 6669, 6679, 6697, 10080,
}

// blockedNotice is why a page on the port cannot be opened, "" for a port on which it can.
func blockedNotice(port int) string {
	if !slices.Contains(blockedPorts, port) {
		return ""
	}
	return fmt.Sprintf("PAGE_PORT=%d cannot be opened in a browser: it is on the Fetch standard's list of blocked ports; "+
		"set another, such as 6001", port)
}

// listenForBrowsers listens on the address. A port that is to be chosen (0) is none that browsers refuse.
func listenForBrowsers(ctx context.Context, address string) (net.Listener, error) {
	_, given, _ := net.SplitHostPort(address)
	var refused []net.Listener // kept open meanwhile, so that they are not chosen again
	defer func() {
		for _, l := range refused {
			_ = l.Close()
		}
	}()
	for {
		l, err := new(net.ListenConfig).Listen(ctx, "tcp", address)
		if err != nil || given != "0" || !slices.Contains(blockedPorts, l.Addr().(*net.TCPAddr).Port) {
			return l, err
		}
		refused = append(refused, l)
	}
}

// listenSetting is a port that this process listens on.
type listenSetting struct {
	name string
	host string // "" for all interfaces
	port int    // 0 for one that is free, -1 for off
}

// checkPorts finds ports that two of the settings would both listen on.
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

func hostsOverlap(a, b string) bool { return a == b || anyHost(a) || anyHost(b) }

// anyHost tells whether a listener on the host listens on all interfaces.
func anyHost(host string) bool {
	ip := net.ParseIP(host)
	return host == "" || ip != nil && ip.IsUnspecified()
}
