package fleet

import (
	"bytes"
	"encoding/csv"
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"strings"

	"github.com/signal-sidecar/signal-sidecar/health"
)

const (
	csvBegin   = "# pxname,svname,"
	typeServer = "2" // column type: a server, not a frontend, backend or listener
)

// parseStatistics returns the servers in HAProxy's statistics as CSV. The order of the columns does not matter.
func parseStatistics(text []byte) ([]Belief, error) {
	if !bytes.HasPrefix(text, []byte(csvBegin)) {
		if begin := bytes.TrimSpace(text); len(begin) > 0 && begin[0] == '<' {
			return nil, errors.New("the answer is HTML, such as a login page or the page of the statistics; " +
				"their CSV has ;csv at the end of the URL")
		}
		return nil, fmt.Errorf("the answer is not HAProxy's statistics as CSV: it begins with %s", excerpt(text))
	}
	if !bytes.HasSuffix(text, []byte("\n")) {
		return nil, errors.New("the statistics are cut off: the last line has no end")
	}
	rows, err := csv.NewReader(bytes.NewReader(text[len("# "):])).ReadAll()
	if err != nil {
		return nil, fmt.Errorf("the statistics are broken or cut off: %w", err)
	}
	column := map[string]int{}
	for i, name := range rows[0] {
		column[name] = i
	}
	for _, name := range []string{"pxname", "svname", "status", "weight", "scur", "type"} {
		if _, found := column[name]; !found {
			return nil, fmt.Errorf("the statistics have no column %s", name)
		}
	}
	var servers []Belief
	for _, row := range rows[1:] {
		of := func(name string) string {
			if i, found := column[name]; found {
				return health.OneLine(row[i])
			}
			return ""
		}
		if of("type") != typeServer {
			continue
		}
		weight, _ := strconv.Atoi(of("weight")) // an unusual number is not worth an error
		sessions, _ := strconv.Atoi(of("scur"))
		servers = append(servers, Belief{
			Backend: row[column["pxname"]], Server: row[column["svname"]],
			State: serverState(of("status")), Status: of("status"), Weight: weight, Sessions: sessions,
			// HAProxy sets "* " before the result of the last check while the next one runs.
			AgentStatus: strings.TrimPrefix(of("agent_status"), "* "), AgentText: of("last_agt"),
		})
	}
	return servers, nil
}

// byShard returns the servers by the name of the shard: the first group of the pattern in the name of the server, or
// that name without a pattern.
func byShard(servers []Belief, pattern *regexp.Regexp) map[string][]Belief {
	all := map[string][]Belief{}
	for _, s := range servers {
		shard := s.Server
		if pattern != nil {
			m := pattern.FindStringSubmatch(s.Server)
			if m == nil {
				continue
			}
			shard = m[1]
		}
		all[shard] = append(all[shard], s)
	}
	return all
}
