package signalnode

import "time"

// Behavior is how a service treats requests. The zero value is healthy; others come from ParseBehavior. Behaviors can
// be compared with ==.
type Behavior struct {
	kind     string        // as written, "" for healthy
	argument string        // in its canonical spelling, "" if there is none
	number   int           // the argument of code, reset and redirect
	delay    time.Duration // the argument of slow
}

// String returns the behavior as ParseBehavior reads it.
func (b Behavior) String() string {
	switch {
	case b.kind == "":
		return kindHealthy
	case b.argument == "":
		return b.kind
	default:
		return b.kind + " " + b.argument
	}
}

// The kinds of behaviors, as written in commands.
const (
	kindHealthy  = "healthy"
	kindCode     = "code"
	kindBody     = "body"
	kindNotJSON  = "notjson"
	kindRedirect = "redirect"
	kindHang     = "hang"
	kindSlow     = "slow"
	kindDrip     = "drip"
	kindHuge     = "huge"
	kindTruncate = "truncate"
	kindReset    = "reset"
	kindClose    = "close"
	kindGarbage  = "garbage"

	loop = "loop" // the argument of redirect
)

const dripEvery = 50 * time.Millisecond

// form is one kind of behavior: its syntax and a description for the help, and the parser of its argument.
type form struct {
	kind  string
	usage string
	does  string
	read  func(argument string) (Behavior, error) // nil: takes none
}

// forms lists all behaviors, in the order of the help.
var forms = []form{
	{kindHealthy, "healthy", "replies as the real service does", nil},
	{kindCode, "code <200-599>", "replies with that status code", readCode},
	{kindBody, "body <text>", "replies 200 with that body", readBody},
	{kindNotJSON, "notjson", "replies 200 with a body that is not JSON", nil},
	{kindRedirect, "redirect <1-1000>|loop", "redirects that many times, then is healthy; loop: always", readRedirect},
	{kindHang, "hang", "accepts and does not reply until the behavior changes", nil},
	{kindSlow, "slow <duration>", "replies after that time (such as 1500ms or 10s)", readSlow},
	{kindDrip, "drip", "sends headers, then a byte every 50 ms, without end", nil},
	{kindHuge, "huge", "sends a body without end, as fast as it is read", nil},
	{kindTruncate, "truncate", "announces the whole body, sends half, closes", nil},
	{
		kindReset, "reset [<1-1000000>]",
		"resets the connection (RST) without a reply; with a number: for that many requests", readReset,
	},
	{kindClose, "close", "closes the connection (FIN) without a reply", nil},
	{kindGarbage, "garbage", "replies with bytes that are not HTTP", nil},
}
