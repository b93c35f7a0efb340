package signalnode

import (
	"fmt"
	"net"
	"net/http"
	"strings"
)

const (
	prosodyBOSH   = "/http-bind"
	prosodyCensus = "/room-census"
)

const boshPage = `<!DOCTYPE html>
<html><head><title>Prosody BOSH endpoint</title></head><body>
<h1>Prosody BOSH endpoint</h1>
<p>It works! Now point your BOSH client to this URL to connect to Prosody.</p>
</body></html>
`

// prosody replies like prosody's HTTP server with mod_bosh and jitsi-meet's mod_muc_census.
type prosody struct{ *contents }

func (prosody) paths() []string { return []string{prosodyBOSH, prosodyCensus} }

func (p prosody) healthy(r *http.Request) answer {
	switch {
	case r.URL.Path == prosodyBOSH:
		return answer{http.StatusOK, html, []byte(boshPage)}
	case r.URL.Path == prosodyCensus && r.Host == "": // mod_muc_census looks its rooms up by the host
		return p.failing(r, http.StatusBadRequest)
	case r.URL.Path == prosodyCensus && !p.hasHost(r.Host):
		return p.failing(r, http.StatusNotFound)
	case r.URL.Path == prosodyCensus:
		return jsonAnswer(map[string]any{"room_census": p.census()})
	default:
		return p.failing(r, http.StatusNotFound)
	}
}

// hasHost reports whether a Host header, with or without a port, names the domain that prosody serves.
func (p prosody) hasHost(header string) bool {
	host, _, err := net.SplitHostPort(header)
	if err != nil {
		host = header
	}
	return strings.EqualFold(host, p.domainName())
}

func (prosody) failing(_ *http.Request, code int) answer {
	const page = "<!DOCTYPE html>\n<html><head><title>%[1]d %[2]s</title></head><body><h1>%[2]s</h1></body></html>\n"
	return answer{code, html, fmt.Appendf(nil, page, code, http.StatusText(code))}
}
