package signalnode

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
)

// controlBody is the longest command, in bytes.
const controlBody = 64 << 10

// Control returns a handler of commands that are sent with curl. GET / lists the state of the node and the commands; a
// command is the body of a POST:
//
//	POST /jicofo, /prosody                     crash, recover, or a behavior (see ParseBehavior) for all paths
//	POST /jicofo/stats, /prosody/http-bind …   a behavior for that path
//	POST /load                                 participants, and conferences (without: a tenth of them)
//	POST /rooms                                the participants of each room, or none
//
// GET /health replies 200 as long as the node runs, also while its services fail.
//
// The reply to a command is 200 and one line with the new state; 400 and one line with the reason if the command is
// invalid or longer than 64 KiB; 500 and one line with the reason if it failed. Commands that a browser sends from a
// page of another origin are refused.
func (n *Node) Control() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /{$}", func(w http.ResponseWriter, r *http.Request) {
		writeText(w, http.StatusOK, n.state()+"\n"+help(r.Host))
	})
	mux.HandleFunc("GET /health", func(w http.ResponseWriter, _ *http.Request) { writeText(w, http.StatusOK, "OK\n") })
	mux.HandleFunc("POST /jicofo/{path...}", n.Jicofo.control)
	mux.HandleFunc("POST /jicofo", n.Jicofo.control)
	mux.HandleFunc("POST /prosody/{path...}", n.Prosody.control)
	mux.HandleFunc("POST /prosody", n.Prosody.control)
	mux.HandleFunc("POST /load", n.controlLoad)
	mux.HandleFunc("POST /rooms", n.controlRooms)
	mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		text := fmt.Sprintf("no command %s %.100q; GET / lists the commands\n", r.Method, r.URL.Path)
		writeText(w, http.StatusNotFound, text)
	})
	return http.NewCrossOriginProtection().Handler(mux)
}

func writeText(w http.ResponseWriter, status int, text string) {
	w.Header().Set("X-Content-Type-Options", "nosniff") // the text may quote the request
	answer{status, plainText, []byte(text)}.writeTo(w)
}

// command reads the body. If that fails, it writes the reply and returns false.
func command(w http.ResponseWriter, r *http.Request) (text string, ok bool) {
	data, err := io.ReadAll(http.MaxBytesReader(w, r.Body, controlBody))
	if tooLarge := (*http.MaxBytesError)(nil); errors.As(err, &tooLarge) {
		err = fmt.Errorf("the command is longer than %d bytes", tooLarge.Limit)
	}
	if err != nil {
		writeText(w, http.StatusBadRequest, err.Error()+"\n")
		return "", false
	}
	return string(data), true
}

// control handles a command for a service.
func (s *Service) control(w http.ResponseWriter, r *http.Request) {
	text, ok := command(w, r)
	if !ok {
		return
	}
	path := r.PathValue("path")
	if path != "" {
		path = "/" + path
	}
	if status, err := s.execute(path, text); err != nil {
		writeText(w, status, err.Error()+"\n")
		return
	}
	writeText(w, http.StatusOK, s.state())
}

// execute runs a command for one path of a service, "" for all paths. The status code is for the reply to an error.
func (s *Service) execute(path, text string) (status int, err error) {
	if path != "" && !slices.Contains(s.program.paths(), path) {
		return http.StatusBadRequest, fmt.Errorf("%s has no path %.100q; it has %s",
			s.name, path, strings.Join(s.program.paths(), ", "))
	}
	switch word := strings.Trim(text, whiteSpace); {
	case path != "" && (word == "crash" || word == "recover"):
		return http.StatusBadRequest, fmt.Errorf("%s is for %s as a whole, not for its path %s", word, s.name, path)
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

// maxCount is the largest number of participants or conferences; it fits an int of 32 bits.
const maxCount = 1_000_000_000

func (n *Node) controlLoad(w http.ResponseWriter, r *http.Request) {
	text, ok := command(w, r)
	if !ok {
		return
	}
	numbers, err := counts(text)
	if err != nil || len(numbers) < 1 || len(numbers) > 2 {
		writeText(w, http.StatusBadRequest, fmt.Sprintf("invalid load %.100q; "+
			"accepted: <participants> [<conferences>], each from 0 to %d\n", text, maxCount))
		return
	}
	participants := numbers[0]
	conferences := (participants + 9) / 10
	if len(numbers) == 2 {
		conferences = numbers[1]
	}
	n.SetLoad(participants, conferences)
	writeText(w, http.StatusOK, n.loadState())
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
			writeText(w, http.StatusBadRequest, fmt.Sprintf("invalid rooms %.100q; "+
				"accepted: the participants of each, each from 0 to %d, or none\n", text, maxCount))
			return
		}
	}
	rooms := make([]Room, len(numbers))
	for i, participants := range numbers {
		rooms[i] = Room{Name: fmt.Sprintf("room%d@conference.%s", i+1, n.contents.domainName()), Participants: participants}
	}
	n.SetRooms(rooms)
	writeText(w, http.StatusOK, n.roomsState())
}

func counts(text string) ([]int, error) {
	words := strings.Fields(text)
	numbers := make([]int, len(words))
	for i, word := range words {
		var err error
		if numbers[i], err = number(word, 0, maxCount); err != nil {
			return nil, err
		}
	}
	return numbers, nil
}
