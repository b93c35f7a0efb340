package rest

import (
	"net"
	"net/http"
	"slices"
	"strings"

	"github.com/gin-gonic/gin"
)

// openRoutes are the routes for load balancers. They reply whatever the Host header is, and without a password.
var openRoutes = []string{"/health", "/signal/health", "/about/health"}

// guard refuses requests that the options do not allow. It runs for unknown paths too.
func (o Options) guard(c *gin.Context) {
	open := slices.Contains(openRoutes, c.FullPath())
	if !open && !o.servesHost(c.Request.Host) {
		c.String(http.StatusMisdirectedRequest, "this server does not serve this host name\n")
		c.Abort()
		return
	}
	if o.Access != nil && !o.Access.Admit(c.Writer, c.Request, open) {
		c.Abort()
	}
}

// servesHost reports whether a Host header names one of Hosts. A page of another site can make a browser send requests
// here by pointing a name of its own to this address (DNS rebinding); such requests have that name.
func (o Options) servesHost(host string) bool {
	if len(o.Hosts) == 0 {
		return true
	}
	if name, _, err := net.SplitHostPort(host); err == nil {
		host = name
	}
	host = strings.TrimSuffix(strings.TrimPrefix(host, "["), "]") // an IPv6 address without a port
	return slices.Contains(o.Hosts, strings.ToLower(strings.TrimSuffix(host, ".")))
}

// isolate forbids browsers to let other sites read or embed a reply. No reply allows it by CORS either.
func isolate(c *gin.Context) { c.Header("Cross-Origin-Resource-Policy", "same-origin") }
