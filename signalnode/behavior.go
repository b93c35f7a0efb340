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

// String returns what ParseBehavior takes.
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

// The kinds of behaviors, as they are written.
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

// form is one kind of behavior: how it is written and what it does, for people, and how its argument is read.
type form struct {
	kind  string
	usage string
	does  string
	read  func(argument string) (Behavior, error) // nil: takes none
}

// forms are all behaviors, in the order in which people are shown them.
var forms = []form{
	{kindHealthy, "healthy", "answers as the real service does when all is well", nil},
	{kindCode, "code <200-599>", "answers with that status code", readCode},
	{kindBody, "body <text>", "answers 200 with that body", readBody},
	{kindNotJSON, "notjson", "answers 200 with a body that is not JSON", nil},
	{kindRedirect, "redirect <1-1000>|loop", "redirects that many times, then is healthy; or for ever", readRedirect},
	{kindHang, "hang", "accepts and does not answer until told otherwise", nil},
	{kindSlow, "slow <duration>", "is healthy, after that time (such as 1500ms or 10s)", readSlow},
	{kindDrip, "drip", "sends headers, then a byte every 50 ms, for ever", nil},
	{kindHuge, "huge", "sends a body without end, as fast as it is read", nil},
	{kindTruncate, "truncate", "announces the whole body, sends half, closes", nil},
	{kindReset, "reset [<1-1000000>]", "resets the connection (RST) without an answer; with a number: so many requests, then is healthy", readReset},
	{kindClose, "close", "closes the connection (FIN) without an answer", nil},
	{kindGarbage, "garbage", "answers with bytes that are not HTTP", nil},
}
