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

// program is what one of the two programs says to requests; how it says it, or does not, is the Service's.
type program interface {
	// paths are those that the program knows.
	paths() []string
	// healthy is the answer of the program in good health.
	healthy(r *http.Request) answer
	// failing is the program's answer with the given status code.
	failing(r *http.Request, code int) answer
}

// answer is a complete HTTP answer.
type answer struct {
	code        int
	contentType string
	body        []byte
}

func (a answer) writeTo(w http.ResponseWriter) {
	w.Header().Set("Content-Type", a.contentType)
	w.WriteHeader(a.code)
	_, _ = w.Write(a.body) // a client that has gone away is nothing to a server
}

func jsonAnswer(v any) answer {
	body, err := json.Marshal(v)
	if err != nil { // a Room's CreatedTime that JSON cannot say
		return answer{http.StatusInternalServerError, plainText, []byte(err.Error())}
	}
	return answer{http.StatusOK, jsonText, body}
}
