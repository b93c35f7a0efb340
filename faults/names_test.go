package faults_test

import (
	"crypto/tls"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"

	"golang.org/x/net/dns/dnsmessage"

	"github.com/signal-sidecar/signal-sidecar/testbed"
)

// certified is a row in which prosody's certificate is replaced by one that must not be accepted.
func certified(does, text string, bad func(*testing.T, *testbed.Authority) (certificate, key string)) fault {
	var badCertificate tls.Certificate
	var current atomic.Pointer[tls.Certificate]
	pair := func(t *testing.T, certificate, key string) tls.Certificate {
		t.Helper()
		p, err := tls.X509KeyPair([]byte(certificate), []byte(key))
		testbed.Must(t, err)
		return p
	}
	var good tls.Certificate
	present := func(s *shard, c *tls.Certificate) {
		current.Store(c)
		s.peer.set(healthy) // closes the connections that have the other certificate
	}
	return fault{
		does: does, within: "60 s",
		want: seen{line: down, reason: "prosody_unreachable", text: text, outcome: "prosody tls"},
		prepare: func(t *testing.T, s *shard) {
			t.Helper()
			authority := testbed.NewAuthority(t)
			certificate, key := authority.Issue(t, "localhost")
			good = pair(t, certificate, key)
			certificate, key = bad(t, authority)
			badCertificate = pair(t, certificate, key)
			current.Store(&good)
			s.peer = newPeer(t, "", &tls.Config{
				MinVersion:     tls.VersionTLS12,
				GetCertificate: func(*tls.ClientHelloInfo) (*tls.Certificate, error) { return current.Load(), nil },
			})
			s.set(vars{
				"PROSODY_ORIG":  "https://localhost:" + s.peer.port(t),
				"PROBE_CA_FILE": testbed.Write(t, t.TempDir(), "ca.pem", authority.PEM),
			})
		},
		inject: func(_ *testing.T, s *shard) { present(s, &badCertificate) },
		undo:   func(_ *testing.T, s *shard) { present(s, &good) },
	}
}

// port returns the peer's port.
func (p *peer) port(t *testing.T) string {
	t.Helper()
	_, port, err := net.SplitHostPort(p.Addr().String())
	testbed.Must(t, err)
	return port
}

// resolves makes the sidecar read other files than the machine's /etc/hosts and /etc/resolv.conf.
func (s *shard) resolves(t *testing.T, hosts, nameServer string) {
	t.Helper()
	if os.Getuid() != 0 {
		testbed.Missing(t, "root, to mount something over /etc/hosts")
	}
	folder := t.TempDir()
	path := testbed.Write(t, folder, "hosts", hosts)
	testbed.Write(t, folder, "resolv.conf", "nameserver "+nameServer+"\noptions attempts:1\n")
	s.program = []string{
		testbed.Component(t, "unshare"), "--mount", "sh", "-c",
		fmt.Sprintf("mount --bind %s /etc/hosts && mount --bind %s /etc/resolv.conf && exec %s", path,
			filepath.Join(folder, "resolv.conf"), testbed.Binary(t)),
	}
}

// listensOn is a row in which prosody listens on one address of localhost only.
func listensOn(does, address string) fault {
	return fault{
		does: does, within: atStart, want: seen{line: up, outcome: "prosody ok"},
		prepare: func(t *testing.T, s *shard) {
			t.Helper()
			s.peer = newPeer(t, address, nil)
			s.resolves(t, "127.0.0.1 localhost\n::1 localhost\n", "127.0.0.1")
			s.set(vars{"PROSODY_ORIG": "http://localhost:" + s.peer.port(t)})
		},
	}
}

// named is a row in which the name in PROSODY_ORIG can no longer be resolved, because its name server replies to no
// query, or that the name does not exist.
func named(does string, after nameServerMode, want seen) fault {
	var server *nameServer
	return fault{
		does: does, within: "60 s", want: want,
		prepare: func(t *testing.T, s *shard) {
			t.Helper()
			s.peer = newPeer(t, "", nil)
			s.peer.set(closing("HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nOK"))
			server = startNameServer(t)
			s.resolves(t, "127.0.0.1 localhost\n", server.address)
			s.set(vars{"PROSODY_ORIG": "http://prosody.test:" + s.peer.port(t)})
		},
		inject: func(*testing.T, *shard) { server.mode.Store(int64(after)) },
		undo:   func(*testing.T, *shard) { server.mode.Store(int64(nameIsKnown)) },
	}
}

// nameServerMode is how a nameServer replies.
type nameServerMode int64

const (
	nameIsKnown nameServerMode = iota // every name has the address 127.0.0.1
	nameIsUnknown
	noReply
)

// nameServer is a name server at port 53 of an address of loopback.
type nameServer struct {
	address string
	mode    atomic.Int64 // a nameServerMode
}

func startNameServer(t *testing.T) *nameServer {
	t.Helper()
	s := &nameServer{address: fmt.Sprintf("127.%d.%d.%d", 1+rand.IntN(250), rand.IntN(250), 1+rand.IntN(250))}
	l, err := net.ListenPacket("udp", s.address+":53")
	if err != nil {
		testbed.Missing(t, "the right to listen on port 53: "+err.Error())
	}
	var serving sync.WaitGroup
	serving.Go(func() {
		for buffer := make([]byte, 512); ; {
			n, from, err := l.ReadFrom(buffer)
			if err != nil {
				return
			}
			if reply := s.reply(buffer[:n]); reply != nil {
				_, _ = l.WriteTo(reply, from)
			}
		}
	})
	t.Cleanup(func() {
		_ = l.Close()
		serving.Wait()
	})
	return s
}

// reply returns the reply to a query, nil for none.
func (s *nameServer) reply(query []byte) []byte {
	var m dnsmessage.Message
	mode := nameServerMode(s.mode.Load())
	if mode == noReply || m.Unpack(query) != nil || len(m.Questions) != 1 {
		return nil
	}
	m.Response, m.RecursionAvailable, m.Additionals = true, true, nil
	question := m.Questions[0]
	switch {
	case mode == nameIsUnknown:
		m.RCode = dnsmessage.RCodeNameError
	case question.Type == dnsmessage.TypeA:
		header := dnsmessage.ResourceHeader{Name: question.Name, Class: question.Class, TTL: 1}
		m.Answers = []dnsmessage.Resource{{Header: header, Body: &dnsmessage.AResource{A: [4]byte{127, 0, 0, 1}}}}
	}
	reply, err := m.Pack()
	if err != nil {
		return nil
	}
	return reply
}
