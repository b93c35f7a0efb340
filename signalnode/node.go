// Package signalnode simulates a Jitsi signal node, a jicofo and a prosody, on real loopback sockets. It replies as the
// real programs do, and can be made to fail in the ways in which they, or the network, can fail. The demo and the tests
// of other packages use it.
package signalnode

import (
	"errors"
	"time"
)

// Domain is the domain that prosody serves until SetDomain: other Host headers get no census.
const Domain = "meet.example.com"

// Node is a simulated signal node. It is safe for concurrent use.
type Node struct {
	// Jicofo answers /about/health and /stats.
	Jicofo *Service
	// Prosody answers /http-bind and /room-census.
	Prosody *Service

	contents *contents
}

// Start starts a healthy node, each of its services on a free port of 127.0.0.1, with three rooms of 10 participants
// in total. The caller must Close it.
func Start() (*Node, error) { return StartAt("", "") }

// StartAt is Start at given addresses, each host:port; "" for a free port of 127.0.0.1. For port 0 the system
// chooses a port once. Recover uses it again, but another program may take it after a Crash.
func StartAt(jicofoAddress, prosodyAddress string) (*Node, error) {
	c := &contents{domain: Domain}
	n := &Node{
		Jicofo:   newService("jicofo", jicofo{c}),
		Prosody:  newService("prosody", prosody{c}),
		contents: c,
	}
	started := time.Now()
	n.SetRooms([]Room{
		{Name: "standup@conference.meet.example.com", Participants: 5, CreatedTime: started.Add(-time.Hour).UnixMilli()},
		{Name: "interview@conference.meet.example.com", Participants: 2, CreatedTime: started.Add(-time.Minute).UnixMilli()},
		{Name: "retrospective@conference.meet.example.com", Participants: 3, CreatedTime: started.Format(time.RFC3339)},
	})
	n.SetLoad(10, 3)
	if err := errors.Join(n.Jicofo.start(jicofoAddress), n.Prosody.start(prosodyAddress)); err != nil {
		return nil, errors.Join(err, n.Close())
	}
	return n, nil
}

// Close ends both services and their connections, and returns once all their goroutines have ended. A node that was
// closed stays closed; closing it again does nothing.
func (n *Node) Close() error { return errors.Join(n.Jicofo.close(), n.Prosody.close()) }

// SetLoad sets the numbers in jicofo's /stats. It does not change the census: the two programs count separately.
func (n *Node) SetLoad(participants, conferences int) { n.contents.setLoad(participants, conferences) }

// SetDomain sets the domain that prosody serves. A request of the census for another Host gets a 404.
func (n *Node) SetDomain(domain string) { n.contents.setDomain(domain) }

// SetRooms sets the rooms of prosody's census; nil or an empty slice for none. It does not change jicofo's load.
func (n *Node) SetRooms(rooms []Room) { n.contents.setRooms(rooms) }
