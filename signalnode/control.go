package signalnode

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
)

// controlBody bounds, in bytes, what is read of a command.
const controlBody = 64 << 10

// Control returns an endpoint for people with curl. GET / lists the state of the node and the commands; a command is
// the body of a POST:
//
//	POST /jicofo, /prosody                     crash, recover, or a behavior (see ParseBehavior) for all paths
//	POST /jicofo/stats, /prosody/http-bind …   a behavior for that path
//	POST /load                                 participants, and conferences (without: a tenth of them)
//	POST /rooms                                the participants of each room, or none
//
// A command that is done is answered with 200 and a line that says what is so now; one that is not understood, or
// longer than 64 KiB, with 400, and one that failed with 500, and a line that says why. Browsers are refused when a
// page of another origin sends a command.
func (n *Node) Control() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /{$}", func(w http.ResponseWriter, r *http.Request) {
		say(w, http.StatusOK, n.state()+"\n"+help(r.Host))
	})
	mux.HandleFunc("POST /jicofo/{path...}", n.Jicofo.control)
	mux.HandleFunc("POST /jicofo", n.Jicofo.control)
	mux.HandleFunc("POST /prosody/{path...}", n.Prosody.control)
	mux.HandleFunc("POST /prosody", n.Prosody.control)
	mux.HandleFunc("POST /load", n.controlLoad)
	mux.HandleFunc("POST /rooms", n.controlRooms)
	mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		say(w, http.StatusNotFound, fmt.Sprintf("no command %s %.100q; GET / lists them\n", r.Method, r.URL.Path))
	})
	return http.NewCrossOriginProtection().Handler(mux)
}

func say(w http.ResponseWriter, status int, text string) {
	w.Header().Set("X-Content-Type-Options", "nosniff") // the text holds what people sent
	answer{status, plainText, []byte(text)}.writeTo(w)
}

// command reads the body; ok is false if that could not be done, and has been answered.
func command(w http.ResponseWriter, r *http.Request) (text string, ok bool) {
	data, err := io.ReadAll(http.MaxBytesReader(w, r.Body, controlBody))
	if tooLarge := (*http.MaxBytesError)(nil); errors.As(err, &tooLarge) {
		err = fmt.Errorf("the command is longer than %d bytes", tooLarge.Limit)
	}
	if err != nil {
		say(w, http.StatusBadRequest, err.Error()+"\n")
		return "", false
	}
	return string(data), true
}

// control does what is asked of a service.
func (s *Service) control(w http.ResponseWriter, r *http.Request) {
	text, ok := command(w, r)
	if !ok {
		return
	}
	path := r.PathValue("path")
	if path != "" {
		path = "/" + path
	}
	if status, err := s.obey(path, text); err != nil {
		say(w, status, err.Error()+"\n")
		return
	}
	say(w, http.StatusOK, s.state())
}

// obey does what is asked of a service's path, "" for all; status is what to answer an error with.
func (s *Service) obey(path, text string) (status int, err error) {
	if path != "" && !slices.Contains(s.program.paths(), path) {
		return http.StatusBadRequest, fmt.Errorf("%s has no path %.100q; it has %s",
			s.name, path, strings.Join(s.program.paths(), ", "))
	}
	switch word := strings.Trim(text, whiteSpace); {
	case path != "" && (word == "crash" || word == "recover"):
		return http.StatusBadRequest, fmt.Errorf("%s is for all of %s, not for %s", word, s.name, path)
	case word == "crash":
		err = s.Crash()
	case word == "recover":
		err = s.Recover()
	default:
		b, err := ParseBehavior(text)
		if err != nil {
			return http.StatusBadRequest, fmt.Errorf("%w (for a service also: crash, recover)", err)
		}
		s.Set(path, b)
	}
	return http.StatusInternalServerError, err
}

// mostPeople keeps numbers within an int of 32 bits.
const mostPeople = 1_000_000_000

func (n *Node) controlLoad(w http.ResponseWriter, r *http.Request) {
	text, ok := command(w, r)
	if !ok {
		return
	}
	numbers, err := counts(text)
	if err != nil || len(numbers) < 1 || len(numbers) > 2 {
		say(w, http.StatusBadRequest, fmt.Sprintf("load %.100q is not understood; "+
			"accepted: <participants> [<conferences>], each from 0 to %d\n", text, mostPeople))
		return
	}
	participants := numbers[0]
	conferences := (participants + 9) / 10
	if len(numbers) == 2 {
		conferences = numbers[1]
	}
	n.SetLoad(participants, conferences)
	say(w, http.StatusOK, n.loadState())
}

func (n *Node) controlRooms(w http.ResponseWriter, r *http.Request) {
	text, ok := command(w, r)
	if !ok {
		return
	}
	var numbers []int
	if strings.Trim(text, whiteSpace) != "none" {
		var err error
		if numbers, err = counts(text); err != nil || len(numbers) == 0 {
			say(w, http.StatusBadRequest, fmt.Sprintf("rooms %.100q are not understood; "+
				"accepted: the participants of each, each from 0 to %d, or none\n", text, mostPeople))
			return
		}
	}
	rooms := make([]Room, len(numbers))
	for i, participants := range numbers {
		rooms[i] = Room{Name: fmt.Sprintf("room%d@conference.%s", i+1, n.contents.domainName()), Participants: participants}
	}
	n.SetRooms(rooms)
	say(w, http.StatusOK, n.roomsState())
}

func counts(text string) ([]int, error) {
	words := strings.Fields(text)
	numbers := make([]int, len(words))
	for i, word := range words {
		var err error
		if numbers[i], err = number(word, 0, mostPeople); err != nil {
			return nil, err
		}
	}
	return numbers, nil
}
