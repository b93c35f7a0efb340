package signalnode

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// state describes the node, one line for each service and value.
func (n *Node) state() string {
	return n.Jicofo.state() + n.Prosody.state() + n.loadState() + n.roomsState()
}

func (n *Node) loadState() string {
	participants, conferences := n.contents.load()
	return fmt.Sprintf("load: %d participants, %d conferences\n", participants, conferences)
}

func (n *Node) roomsState() string {
	rooms, participants := n.contents.census(), 0
	for _, r := range rooms {
		participants += r.Participants
	}
	return fmt.Sprintf("rooms: %d, with %d participants\n", len(rooms), participants)
}

// state describes the service in one line: its address and its behaviors.
func (s *Service) state() string {
	if !s.running() {
		return fmt.Sprintf("%s on %s: crashed\n", s.name, s.Origin())
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	var b strings.Builder
	fmt.Fprintf(&b, "%s on %s: %s", s.name, s.Origin(), oneLine(s.behaviors[""]))
	for _, path := range slices.Sorted(maps.Keys(s.behaviors)) {
		if path != "" {
			fmt.Fprintf(&b, "; %s: %s", path, oneLine(s.behaviors[path]))
		}
	}
	b.WriteString("\n")
	return b.String()
}

// oneLine quotes the text of a body, so that it cannot look like further lines.
func oneLine(b Behavior) string {
	if b.kind == kindBody {
		return fmt.Sprintf("%s %.80q", kindBody, b.argument)
	}
	return b.String()
}
