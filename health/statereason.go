package health

import "slices"

// StateReason identifies a verdict in a metric: its State and its RootReason.
type StateReason struct {
	State  string
	Reason Code
}

// StateReasons lists every StateReason that a known verdict can have, for metrics that export all of them from the
// start.
func StateReasons() []StateReason {
	down := Codes[:slices.Index(Codes, ReasonDampening)+1] // the later reasons do not make the node unhealthy
	// The drain grace covers every failure of jicofo, and a timeout of prosody.
	graced := append([]Code{ReasonProsodyTimeout}, Codes[slices.Index(Codes, ReasonJicofoOverloaded):len(down)-1]...)

	all := []StateReason{{string(StatusReady), ReasonNone}, {string(StatusUnknown), ReasonStatusUnknown}}
	add := func(state string, codes ...Code) {
		for _, code := range codes {
			all = append(all, StateReason{state, code})
		}
	}
	add(string(StatusDrain), ReasonStatusDrain, ReasonParticipantsMax)
	add(string(StatusDrain), graced...)
	add(string(StatusMaint), ReasonStatusMaint)
	add(string(StatusMaint), graced...)
	add(StateDown, down...)
	return all
}
