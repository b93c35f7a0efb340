// Package fleet reads the state of many shards: what Consul has of them (the wanted states, the published reports, the
// service signal) and what HAProxys report about them. It also changes the wanted states.
//
// For each shard, Consul has these keys, in each datacenter:
//
//	shard-states/<environment>/<shard>   the wanted state, a word of the status file
//	signal-report/<environment>/<shard>  the report of the shard's sidecar
//	shard-audit/<environment>/<shard>    who set the wanted state, when and why
package fleet

import (
	"strconv"
	"strings"

	"github.com/signal-sidecar/signal-sidecar/health"
)

// The prefixes of the keys, and the name of the service.
const (
	statesPrefix  = "shard-states/"
	reportsPrefix = "signal-report/"
	auditsPrefix  = "shard-audit/"
	serviceName   = "signal"
)

// name names a shard in a datacenter.
type name struct{ environment, shard string }

// parseKey returns the shard of a key. ok is false for the marker of a folder. A key without an environment belongs to
// the environment "".
func parseKey(prefix, key string) (n name, ok bool) {
	rest, found := strings.CutPrefix(key, prefix)
	if !found || rest == "" || strings.HasSuffix(rest, "/") {
		return name{}, false
	}
	environment, shard, _ := strings.Cut(rest, "/")
	if environment == "" || shard == "" {
		return name{"", rest}, true
	}
	return name{environment, shard}, true
}

// key is the reverse of parseKey.
func (n name) key(prefix string) string {
	if n.environment == "" {
		return prefix + n.shard
	}
	return prefix + n.environment + "/" + n.shard
}

// Printable returns a text as it is if it is safe for a terminal and readable as one word of a table, else quoted.
func Printable(text string) string {
	if text != "" && health.OneLine(text) == text && !strings.ContainsAny(text, " \"") {
		return text
	}
	return strconv.Quote(text)
}
