package webconfig

import (
	"crypto/rand"
	"crypto/sha256"
	"fmt"
	"maps"
	"net/http"
	"net/netip"
	"slices"
	"sync"
	"time"

	"golang.org/x/crypto/bcrypt"
	"golang.org/x/sync/singleflight"
)

const (
	// maxWaiting bounds the passwords that wait for their comparison, and maxWaitingOfOne those from one address, so
	// that one client cannot take all places.
	maxWaiting, maxWaitingOfOne = 8, 2
	// pauseFactor is the pause after a wrong password, in multiples of the time of its comparison. Guesses take a
	// quarter of one core at most.
	pauseFactor = 3
	// maxResults bounds the remembered results.
	maxResults = 1024
	retryAfter = 1 // seconds
)

// result is the result of a check.
type result int

const (
	wrong result = iota
	right
	busy // too many passwords wait for their comparison
)

// passwords compares passwords with bcrypt hashes, one at a time, and remembers the results: a comparison takes as much
// CPU as thousands of requests, and any client can ask for one.
type passwords struct {
	salt     []byte
	matches  func(hash, password []byte) error // bcrypt's; tests change it
	turn     chan struct{}                     // holds a token while a comparison runs, and in the pause after it
	flights  singleflight.Group
	mu       sync.Mutex
	results  map[[sha256.Size]byte]result // guarded by mu
	waiting  int                          // guarded by mu
	ofOne    map[netip.Addr]int           // waiting, by address; guarded by mu
	compared int                          // guarded by mu; for tests
}

func newPasswords() *passwords {
	salt := make([]byte, sha256.Size)
	_, _ = rand.Read(salt) // it never fails
	return &passwords{
		salt: salt, matches: bcrypt.CompareHashAndPassword, turn: make(chan struct{}, 1),
		results: map[[sha256.Size]byte]result{}, ofOne: map[netip.Addr]int{},
	}
}

// check returns whether the password of a user is right. An unknown user costs as much time as a known one.
func (p *passwords) check(from netip.Addr, users map[string]string, name, password string) result {
	hash, known := users[name]
	if !known {
		hash = users[slices.Min(slices.Collect(maps.Keys(users)))]
	}
	key := p.key(name, hash, password)
	if r, ok := p.remembered(key); ok {
		return r
	}
	r, _, _ := p.flights.Do(string(key[:]), func() (any, error) {
		if !p.enter(from) {
			return busy, nil
		}
		defer p.leave(from)
		return p.compare(key, hash, password, known), nil
	})
	return r.(result)
}

// key returns what the result of a comparison is remembered by. A new hash makes a new key.
func (p *passwords) key(name, hash, password string) [sha256.Size]byte {
	return sha256.Sum256(fmt.Appendf(nil, "%s%q%q%q", p.salt, name, hash, password))
}

func (p *passwords) remembered(key [sha256.Size]byte) (result, bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	r, ok := p.results[key]
	return r, ok
}

// enter takes a place among those that wait, or returns false.
func (p *passwords) enter(from netip.Addr) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.waiting == maxWaiting || p.ofOne[from] == maxWaitingOfOne {
		return false
	}
	p.waiting++
	p.ofOne[from]++
	return true
}

func (p *passwords) leave(from netip.Addr) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.waiting--
	if p.ofOne[from]--; p.ofOne[from] == 0 {
		delete(p.ofOne, from)
	}
}

// compare waits for its turn, compares, and remembers the result.
func (p *passwords) compare(key [sha256.Size]byte, hash, password string, known bool) result {
	p.turn <- struct{}{}
	start, r := time.Now(), wrong
	if p.matches([]byte(hash), []byte(password)) == nil && known {
		r = right
		<-p.turn
	} else {
		time.AfterFunc(pauseFactor*time.Since(start), func() { <-p.turn })
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.compared++
	if len(p.results) >= maxResults {
		maps.DeleteFunc(p.results, func(_ [sha256.Size]byte, r result) bool { return r == wrong })
	}
	if len(p.results) >= maxResults { // bcrypt ignores what follows the 72nd byte, so a user can have several passwords
		clear(p.results)
	}
	p.results[key] = r
	return r
}

// addressOf returns the address of the client.
func addressOf(r *http.Request) netip.Addr {
	peer, _ := netip.ParseAddrPort(r.RemoteAddr)
	return peer.Addr().Unmap()
}
