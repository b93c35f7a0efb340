package signalnode

import (
	"net/http"
	"slices"
	"sync"
)

// Bounds of what is kept about requests. With the 16 KiB that a request's headers may have they hold a service to
// some 10 MiB, whatever is sent to it.
const (
	keptPaths    = 16
	keptRequests = 32
)

// Request is what was received, whatever was then answered.
type Request struct {
	Method string
	Path   string
	Query  string // undecoded, without the question mark
	Host   string
	Header http.Header // shared: not to be changed
}

// requests counts requests and keeps the latest.
type requests struct {
	mu     sync.Mutex
	all    record
	byPath map[string]*record
}

type record struct {
	count  int
	latest []Request
}

func (q *requests) add(r *http.Request) {
	req := Request{r.Method, r.URL.Path, r.URL.RawQuery, r.Host, r.Header.Clone()}
	q.mu.Lock()
	defer q.mu.Unlock()
	q.all.add(req)
	rec := q.byPath[req.Path]
	if rec == nil {
		if len(q.byPath) == keptPaths {
			return
		}
		if q.byPath == nil {
			q.byPath = make(map[string]*record)
		}
		rec = &record{}
		q.byPath[req.Path] = rec
	}
	rec.add(req)
}

func (q *requests) get(path string) (count int, latest []Request) {
	q.mu.Lock()
	defer q.mu.Unlock()
	rec := &q.all
	if path != "" {
		rec = q.byPath[path]
	}
	if rec == nil {
		return 0, nil
	}
	return rec.count, slices.Clone(rec.latest)
}

func (rec *record) add(r Request) {
	if len(rec.latest) == keptRequests {
		rec.latest = slices.Delete(rec.latest, 0, 1)
	}
	rec.latest = append(rec.latest, r)
	rec.count++
}
