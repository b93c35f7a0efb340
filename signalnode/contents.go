package signalnode

import (
	"slices"
	"sync"
)

// Room is one row of the census.
type Room struct {
	// Name is the room's address, as in room@conference.meet.example.com.
	Name string `json:"room_name"`
	// Participants is the number of users in the room, without the focus.
	Participants int `json:"participants"`
	// CreatedTime is a number (milliseconds since 1970) or a string, depending on the version of prosody, and is sent
	// as it is; nil leaves it out.
	CreatedTime any `json:"created_time,omitempty"`
	// Leaked marks a room whose occupants have no connection any more; older versions of the census
	// lack it, so false leaves it out.
	Leaked bool `json:"leaked,omitempty"`
}

// contents is the load and the rooms that a healthy node reports.
type contents struct {
	mu           sync.Mutex
	domain       string // that prosody serves
	participants int
	conferences  int
	rooms        []Room
}

func (c *contents) setLoad(participants, conferences int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.participants, c.conferences = participants, conferences
}

func (c *contents) load() (participants, conferences int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.participants, c.conferences
}

func (c *contents) setRooms(rooms []Room) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.rooms = slices.Clone(rooms)
}

func (c *contents) setDomain(domain string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.domain = domain
}

func (c *contents) domainName() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.domain
}

// census returns the rooms, never nil; the caller must not change them.
func (c *contents) census() []Room {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.rooms == nil {
		return []Room{}
	}
	return c.rooms
}
