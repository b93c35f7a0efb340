package health

import "slices"

// StateReason is what a verdict comes down to in a metric: its State and its RootReason.
type StateReason struct {
	State  string
	Reason Code
}

// StateReasons lists every StateReason that a known verdict can have, for metrics that show all of them from the start.
func StateReasons() []StateReason {
	down := Codes[:slices.Index(Codes, ReasonDampening)+1] // the reasons after it only keep users away
	// The drain grace covers whatever is wrong with jicofo, and a prosody that times out.
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
