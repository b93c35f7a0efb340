// Package signalnode simulates a Jitsi signal node, a jicofo and a prosody, on real loopback sockets. Healthy, it
// answers as the real programs do; told to, it fails in every way that they, or the network before them, can. The demo
// runs it for people, and the tests of other packages run it instead of mocks.
package signalnode

import (
	"errors"
	"time"
)

// Domain is what a node's prosody serves until SetDomain: the census is found under this Host only.
const Domain = "meet.example.com"

// Node is a simulated signal node. Its services may be told to behave, and its contents be set, from any goroutine.
type Node struct {
	// Jicofo answers /about/health and /stats.
	Jicofo *Service
	// Prosody answers /http-bind and /room-census.
	Prosody *Service

	contents *contents
}

// Start starts a healthy node, each of its services on a free port of 127.0.0.1, with three rooms of 10 participants
// in all. Who starts it must Close it.
func Start() (*Node, error) { return StartAt("", "") }

// StartAt is Start at given addresses, each host:port; "" for a free port of 127.0.0.1. A port 0, too, is chosen once
// and kept over Crash and Recover, but need not stay free in between.
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

// SetLoad sets what jicofo's /stats says. It leaves the census alone: the two come from different programs, which
// need not agree.
func (n *Node) SetLoad(participants, conferences int) { n.contents.setLoad(participants, conferences) }

// SetDomain sets the domain that prosody serves. A census that is requested of another Host is answered with 404.
func (n *Node) SetDomain(domain string) { n.contents.setDomain(domain) }

// SetRooms sets the rooms of prosody's census; nil or an empty slice for none. It leaves jicofo's load alone.
func (n *Node) SetRooms(rooms []Room) { n.contents.setRooms(rooms) }
