package signalnode

import (
	"encoding/json"
	"net/http"
)

const (
	plainText = "text/plain; charset=utf-8"
	html      = "text/html; charset=utf-8"
	jsonText  = "application/json"
)

// program returns the replies of jicofo or prosody. The Service decides whether and how a reply is sent.
type program interface {
	// paths returns the paths that the program serves.
	paths() []string
	// healthy returns the healthy program's reply.
	healthy(r *http.Request) answer
	// failing returns the program's reply with the given status code.
	failing(r *http.Request, code int) answer
}

// answer is a complete HTTP reply.
type answer struct {
	code        int
	contentType string
	body        []byte
}

func (a answer) writeTo(w http.ResponseWriter) {
	w.Header().Set("Content-Type", a.contentType)
	w.WriteHeader(a.code)
	_, _ = w.Write(a.body) // an error means that the client has gone away
}

func jsonAnswer(v any) answer {
	body, err := json.Marshal(v)
	if err != nil { // a Room's CreatedTime that JSON cannot represent
		return answer{http.StatusInternalServerError, plainText, []byte(err.Error())}
	}
	return answer{http.StatusOK, jsonText, body}
}
