//go:build !portable

package agent

import "golang.org/x/sys/unix"

// msgMore holds the reply back until the FIN that follows, so that both leave in one segment.
const msgMore = unix.MSG_MORE
