package webconfig

import (
	"fmt"
	"net/http"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/crypto/bcrypt"

	"github.com/signal-sidecar/signal-sidecar/testbed"
)

func TestUsers(t *testing.T) {
	f := newFiles(t)
	f.write("web.yml", fmt.Sprintf("basic_auth_users:\n  me: %s\n  you: %s\n", hash(t, "mine"), hash(t, "yours")))
	s := f.serve()
	for _, c := range []struct {
		path, user, password string
		code                 int
	}{
		{"/", "", "", 401}, {"/open", "", "", 200}, {"/open", "me", "wrong", 200},
		{"/", "me", "mine", 200}, {"/", "you", "yours", 200}, {"/", "me", "mine", 200},
		{"/", "me", "yours", 401}, {"/", "you", "", 401}, {"/", "nobody", "mine", 401}, {"/", "me", "yours", 401},
	} {
		response, body := get(t, f.client(), s.URL+c.path, c.user, c.password)
		challenge := response.Header.Get("WWW-Authenticate")
		if response.StatusCode != c.code || (body == "served") != (c.code == 200) ||
			strings.HasPrefix(challenge, "Basic ") != (c.code == 401) {
			t.Errorf("%+v: %d, %q, %q", c, response.StatusCode, body, challenge)
		}
	}
	if s.file.passwords.compared != 5 {
		t.Errorf("%d comparisons, want one for each of 5 pairs", s.file.passwords.compared)
	}
	s.file.passwords.wait()
}

// wait waits until the pause after a wrong password is over.
func (p *passwords) wait() {
	p.turn <- struct{}{}
	<-p.turn
}

// TestFlood checks that guesses from many addresses take a part of one core only, that one address cannot take all
// places, and that a known password needs none.
func TestFlood(t *testing.T) {
	h, err := bcrypt.GenerateFromPassword([]byte("right"), bcrypt.MinCost)
	testbed.Must(t, err)
	users := map[string]string{"me": string(h)}
	client := func(n int) netip.Addr { return netip.AddrFrom4([4]byte{10, 0, 0, byte(n)}) }
	synctest.Test(t, func(t *testing.T) {
		p := newPasswords()
		if r := p.check(client(0), users, "me", "right"); r != right {
			t.Errorf("the right password is %v", r)
		}
		p.turn <- struct{}{} // a comparison that does not end
		results := make(chan result, 100)
		var guesses sync.WaitGroup
		guess := func(from, n int) {
			guesses.Go(func() { results <- p.check(client(from), users, "me", fmt.Sprint("guess ", n)) })
			synctest.Wait()
		}
		for n := range 5 { // of one address: two may wait
			guess(1, n)
		}
		if got := len(results); got != 3 {
			t.Errorf("%d guesses of one address are refused, want 3", got)
		}
		for n := range 10 { // of ten addresses: six may wait
			guess(2+n, 10+n)
		}
		if got := len(results); got != 3+4 {
			t.Errorf("%d guesses are refused, want 7", got)
		}
		guess(1, 0) // a guess that waits already: the same comparison
		if got := len(results); got != 7 {
			t.Errorf("the same guess is refused")
		}
		if r := p.check(client(1), users, "me", "right"); r != right {
			t.Errorf("the remembered password is %v", r)
		}
		<-p.turn
		guesses.Wait()
		if p.compared != 1+8 {
			t.Errorf("%d comparisons, want 9", p.compared)
		}
		close(results)
		busyOnes := 0
		for r := range results {
			switch r {
			case busy:
				busyOnes++
			case right:
				t.Error("a guess is right")
			}
		}
		if busyOnes != 7 || p.waiting != 0 || len(p.ofOne) != 0 {
			t.Errorf("%d busy, %d waiting, %v", busyOnes, p.waiting, p.ofOne)
		}
		p.wait()
	})
}

// TestPause checks that comparisons of wrong passwords take a quarter of one core.
func TestPause(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPasswords()
		p.matches = func(_, _ []byte) error {
			time.Sleep(100 * time.Millisecond)
			return bcrypt.ErrMismatchedHashAndPassword
		}
		start := time.Now()
		for n := range 10 {
			p.check(netip.Addr{}, map[string]string{"me": "a hash"}, "me", fmt.Sprint(n))
		}
		p.wait()
		if took := time.Since(start); took != 4*time.Second {
			t.Errorf("10 comparisons of 100 ms take %s", took)
		}
	})
}

// TestResultsAreBounded checks that right passwords are not forgotten because of many wrong ones.
func TestResultsAreBounded(t *testing.T) {
	users := map[string]string{"me": hash(t, "right")}
	p := newPasswords()
	p.check(netip.Addr{}, users, "me", "right")
	for n := range maxResults {
		p.results[p.key("me", users["me"], fmt.Sprint(n))] = wrong
	}
	p.check(netip.Addr{}, users, "me", "one more")
	if r, known := p.remembered(p.key("me", users["me"], "right")); r != right || !known || len(p.results) != 2 {
		t.Errorf("right password: %v, %t; %d results", r, known, len(p.results))
	}
	p.wait()
}

// TestBusy checks the reply while too many passwords wait.
func TestBusy(t *testing.T) {
	f := newFiles(t)
	f.write("web.yml", "basic_auth_users:\n  me: "+hash(t, "mine")+"\n")
	s := f.serve()
	s.file.passwords.waiting = maxWaiting
	response, _ := get(t, f.client(), s.URL, "me", "mine")
	if response.StatusCode != http.StatusTooManyRequests || response.Header.Get("Retry-After") != "1" {
		t.Errorf("%d, %v", response.StatusCode, response.Header)
	}
}
