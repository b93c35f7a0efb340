package signalnode

import (
	"net/http"
	"slices"
	"sync"
)

// The limits of the requests that are kept. With headers of at most 16 KiB they take at most about 10 MiB for each
// service.
const (
	keptPaths    = 16
	keptRequests = 32
)

// Request is a received request. The kind of reply does not matter.
type Request struct {
	Method string
	Path   string
	Query  string // undecoded, without the question mark
	Host   string
	Header http.Header // shared: must not be changed
}

// requests counts requests and keeps the latest.
type requests struct {
	mu     sync.Mutex
	all    requestLog
	byPath map[string]*requestLog
}

type requestLog struct {
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
			q.byPath = make(map[string]*requestLog)
		}
		rec = &requestLog{}
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

func (rec *requestLog) add(r Request) {
	if len(rec.latest) == keptRequests {
		rec.latest = slices.Delete(rec.latest, 0, 1)
	}
	rec.latest = append(rec.latest, r)
	rec.count++
}
