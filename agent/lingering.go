package agent

import (
	"time"

	"golang.org/x/sys/unix"
)

const (
	// lingerTime and lingerBytes bound for how long an answered connection is kept open, and what is read, and thrown
	// away, of its peer: closing earlier could turn what it is still sending into a reset that costs it the answer.
	lingerTime  = time.Second
	lingerBytes = 1 << 20
	// lingerTick is how often answered connections are looked after.
	lingerTick = 25 * time.Millisecond
)

// lingering holds connections that were answered and are to be closed when their peers are through, oldest first. It
// belongs to one goroutine.
type lingering struct {
	ring     []answered
	first, n int
	time     time.Duration // lingerTime
	tended   time.Time
	junk     []byte
}

// answered is a connection whose reply and end have been sent.
type answered struct {
	fd   int
	read int // bytes, and thrown away
	at   time.Time
}

func newLingering(places int) lingering {
	return lingering{ring: make([]answered, places), time: lingerTime, junk: make([]byte, 16<<10)}
}

// pause is for how long nothing needs to be done; 0 is for ever.
func (l *lingering) pause() time.Duration {
	if l.n == 0 {
		return 0
	}
	return lingerTick
}

func (l *lingering) at(i int) *answered { return &l.ring[(l.first+i)%len(l.ring)] }

// add takes over a connection; where there is no place left, the oldest is closed.
func (l *lingering) add(fd int, now time.Time) {
	if l.n == 0 {
		l.tended = now
	}
	if l.n == len(l.ring) {
		oldest := l.at(0)
		l.drain(oldest)
		_ = unix.Close(oldest.fd)
		l.first = (l.first + 1) % len(l.ring)
		l.n--
	}
	*l.at(l.n) = answered{fd: fd, at: now}
	l.n++
}

// tend reads what has come, every lingerTick, and closes the connections whose peers are through and those that have
// lingered long enough.
func (l *lingering) tend(now time.Time) {
	if l.n == 0 || now.Sub(l.tended) < lingerTick {
		return
	}
	l.tended = now
	kept := 0
	for i := range l.n {
		a := *l.at(i)
		if through := l.drain(&a); through || now.Sub(a.at) >= l.time {
			_ = unix.Close(a.fd)
			continue
		}
		*l.at(kept) = a
		kept++
	}
	l.n = kept
}

// drain reads what has come. It returns true when that was all, or too much.
func (l *lingering) drain(a *answered) (through bool) {
	for a.read < lingerBytes {
		n, err := unix.Read(a.fd, l.junk)
		if n <= 0 {
			return err != unix.EAGAIN //nolint:errorlint // it is an errno as it is
		}
		a.read += n
	}
	return true
}

// closeAll closes all connections, after what has come has been read.
func (l *lingering) closeAll() {
	for i := range l.n {
		l.drain(l.at(i))
		_ = unix.Close(l.at(i).fd)
	}
	l.n = 0
}
