package collector

import "time"

// patience is for how long a server keeps an idle connection, as far as that is known.
type patience struct {
	known bool
	idle  time.Duration
}

// minSlack is by how much the idle times of two connections may differ that ended by the same timeout of their server.
const minSlack = 100 * time.Millisecond

func (p patience) slack() time.Duration { return max(minSlack, p.idle/10) }

// explains reports whether a hang-up after that idle time is what the server always does. One that comes much later is
// not: the server's patience was greater then than what was learned.
func (p patience) explains(idle time.Duration) bool {
	return p.known && idle >= p.idle-p.slack() && idle <= 2*p.idle+p.slack()
}

// outlived reports whether a connection that was still good after that idle time shows that something wrong was learned,
// as from a service that was restarted too quickly to be missed.
func (p patience) outlived(idle time.Duration) bool { return p.known && idle > p.idle+p.slack() }
