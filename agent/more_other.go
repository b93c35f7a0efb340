//go:build !linux || portable

package agent

// msgMore is 0 where the system cannot hold the reply back: the FIN follows in a segment of its own.
const msgMore = 0
