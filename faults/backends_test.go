package faults_test

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/signal-sidecar/signal-sidecar/testbed"
)

const down = "down ready 100%"

// backends are the faults of the services that are probed. jicofo and prosody share the HTTP probe, so that most rows
// make only one of them fail.
var backends = []fault{
	{
		does: "jicofo refuses connections", within: atOnce,
		inject: func(t *testing.T, s *shard) { testbed.Must(t, s.Jicofo.Crash()) },
		undo:   func(t *testing.T, s *shard) { testbed.Must(t, s.Jicofo.Recover()) },
		want: seen{
			line: down, reason: "jicofo_unreachable", text: "does not accept", outcome: "jicofo_health connection_refused",
		},
	},
	{
		does: "jicofo replies 503", within: onePoll, inject: jicofo("code 503"), undo: jicofo("healthy"),
		want: seen{line: down, reason: "jicofo_overloaded", text: "503", outcome: "jicofo_health http_error"},
	},
	{
		does: "jicofo accepts and does not reply", within: onePollMore, inject: jicofo("hang"), undo: jicofo("healthy"),
		want: seen{
			line: down, reason: "jicofo_timeout", text: "gave no reply at .* within 1s", outcome: "jicofo_stats timeout",
		},
	},
	{
		does: "jicofo sends a body without end", within: onePoll, inject: jicofo("huge"), undo: jicofo("healthy"),
		want: seen{
			line: down, reason: "jicofo_unreachable", text: "more than 64 KiB", outcome: "jicofo_stats body_too_large",
		},
	},
	{
		does: "jicofo's statistics are not JSON", within: onePoll, inject: jicofo("notjson"), undo: jicofo("healthy"),
		want: seen{line: down, reason: "jicofo_stats_invalid", outcome: "jicofo_stats invalid_body"},
	},
	prosodySends("prosody resets connections as it accepts them", onePoll, resetting(""),
		seen{line: down, reason: "prosody_unreachable", text: "the connection at", outcome: "prosody connection_reset"}),
	prosodySends("prosody resets the connection in the body", onePoll,
		resetting("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf"),
		seen{line: down, reason: "prosody_unreachable", text: "the connection at", outcome: "prosody connection_reset"}),
	prosodySends("prosody accepts and does not reply", onePollMore, hanging(""),
		seen{line: down, reason: "prosody_timeout", text: "gave no reply at .* within 1s", outcome: "prosody timeout"}),
	prosodySends("prosody stops in the body", onePollMore, hanging("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf"),
		seen{line: down, reason: "prosody_timeout", text: "did not complete its reply", outcome: "prosody timeout"}),
	{
		does: "prosody sends a byte now and then", within: onePollMore, inject: prosody("drip"), undo: prosody("healthy"),
		want: seen{line: down, reason: "prosody_timeout", outcome: "prosody timeout"},
	},
	prosodySends("prosody sends 1 GB", onePoll,
		endless("HTTP/1.1 200 OK\r\nContent-Length: 1073741824\r\n\r\n", strings.Repeat("x", 64<<10)),
		seen{line: down, reason: "prosody_unreachable", text: "more than 64 KiB", outcome: "prosody body_too_large"}),
	prosodySends("prosody sends a gzip bomb", throughout, closing(gzipBomb()),
		seen{line: up, outcome: "prosody ok", also: "the body is not decompressed"}),
	prosodySends("prosody sends headers without end", onePoll, endless("HTTP/1.1 200 OK\r\n", "A: b\r\n"),
		seen{line: down, reason: "prosody_unreachable", outcome: "prosody malformed_response"}),
	prosodySends("prosody sends 1xx replies without end", onePoll,
		endless("", "HTTP/1.1 103 Early Hints\r\nLink: </style.css>\r\n\r\n"),
		seen{line: down, reason: "prosody_unreachable", text: "1xx", outcome: "prosody malformed_response"}),
	{
		does: "prosody redirects in a loop", within: onePoll, inject: prosody("redirect loop"), undo: prosody("healthy"),
		want: seen{
			line: down, reason: "prosody_unreachable", text: "redirected more than 5 times",
			outcome: "prosody too_many_redirects",
		},
	},
	prosodySends("prosody redirects to another host", onePoll,
		replying("HTTP/1.1 302 Found\r\nLocation: http://other.example.com/\r\nContent-Length: 0\r\n\r\n"),
		seen{line: down, reason: "prosody_unreachable", text: "other.example.com", outcome: "prosody redirected_elsewhere"}),
	prosodySends("prosody redirects to a closed port", onePoll,
		replying("HTTP/1.1 302 Found\r\nLocation: https://127.0.0.1:1/\r\nContent-Length: 0\r\n\r\n"),
		seen{line: down, reason: "prosody_unreachable", text: "does not accept", outcome: "prosody connection_refused"}),
	prosodySends("prosody sends garbage instead of HTTP", onePoll, closing("SSH-2.0-OpenSSH_9.6\r\n\x00\xff\r\n"),
		seen{line: down, reason: "prosody_unreachable", outcome: "prosody malformed_response"}),
	prosodySends("prosody sends garbage instead of a chunk", onePoll,
		closing("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nZZ\r\n\x00\xff"),
		seen{line: down, reason: "prosody_unreachable", outcome: "prosody malformed_response"}),
	prosodySends("prosody sends two lengths of the body", onePoll,
		closing("HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 4\r\n\r\nOKOK"),
		seen{line: down, reason: "prosody_unreachable", outcome: "prosody malformed_response"}),
	prosodySends("prosody announces more than it sends", onePoll,
		closing("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nOK"),
		seen{line: down, reason: "prosody_unreachable", text: "the connection at", outcome: "prosody connection_reset"}),
	prosodySends("prosody sends more than it announces", onePoll,
		replying("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nOK and more"),
		seen{line: up, outcome: "prosody ok"}),
	prosodySends("prosody speaks HTTP/1.0", onePoll, closing("HTTP/1.0 200 OK\r\n\r\nOK"),
		seen{line: up, outcome: "prosody ok"}),
	listensOn("prosody listens on IPv4 only, and PROSODY_ORIG says localhost", "127.0.0.1:0"),
	listensOn("prosody listens on IPv6 only, and PROSODY_ORIG says localhost", "[::1]:0"),
	{
		does: "prosody moves to another address", within: "60 s", want: seen{line: up, also: "the new address is probed"},
		tests: []string{"collector TestServiceMoves"},
	},
	certified("prosody's certificate has expired", "expired", func(t *testing.T, a *testbed.Authority) (string, string) {
		return a.IssueUntil(t, "localhost", time.Now().Add(-time.Minute))
	}),
	certified("prosody's certificate is for another name", "other.example.com",
		func(t *testing.T, a *testbed.Authority) (string, string) { return a.Issue(t, "other.example.com") }),
	certified("prosody's certificate is from an unknown authority", "unknown authority",
		func(t *testing.T, _ *testbed.Authority) (string, string) {
			return testbed.NewAuthority(t).Issue(t, "localhost")
		}),
	named("the name in PROSODY_ORIG no longer exists", nameIsUnknown,
		seen{
			line: down, reason: "prosody_unreachable", text: `cannot be found: .*"prosody.test"`,
			outcome: "prosody name_resolution",
		}),
	named("the name server does not reply", noReply,
		seen{line: down, reason: "prosody_timeout", text: "was not resolved within", outcome: "prosody timeout"}),
	{
		does: "no socket is free", within: onePoll,
		want:  seen{also: "it is no observation: the probe is made again, and the agent gives no reply while a poll is overdue"},
		tests: []string{"collector TestNoMeansToAsk"},
	},
}

// prosodySends is a row in which a service in prosody's place treats connections in a bad way.
func prosodySends(does string, w within, serve func(net.Conn), want seen) fault {
	return fault{
		does: does, within: w, want: want,
		prepare: func(t *testing.T, s *shard) {
			t.Helper()
			s.peer = newPeer(t, "", nil)
			s.set(vars{"PROSODY_ORIG": s.peer.origin()})
		},
		inject: func(_ *testing.T, s *shard) { s.peer.set(serve) },
		undo:   func(_ *testing.T, s *shard) { s.peer.set(healthy) },
	}
}

// gzipBomb returns a reply of 50 KB whose decompressed body has 50 MB.
func gzipBomb() string {
	var body bytes.Buffer
	w := gzip.NewWriter(&body)
	zeros := make([]byte, 1<<20)
	for range 50 {
		_, _ = w.Write(zeros)
	}
	_ = w.Close()
	return fmt.Sprintf("HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: %d\r\n\r\n%s", body.Len(), body.String())
}
