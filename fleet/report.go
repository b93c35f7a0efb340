package fleet

import (
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/signal-sidecar/signal-sidecar/health"
)

// report is the value of a report's key.
type report struct {
	health.Report
	at    time.Time // of the observation, by the clock of the shard; zero if the report has no usable time
	index uint64    // the key's ModifyIndex
	err   error     // if the value is no report
}

// wireReport decodes a report. Healthy and Time hide the fields of the embedded Report, because a report without them
// must be noticed.
type wireReport struct {
	health.Report
	Healthy json.RawMessage `json:"healthy"`
	Time    json.RawMessage `json:"time"`
}

// parseReport parses a published report of any version, also of the Node.js original. Unknown keys are ignored. A key
// with a value of another type counts as missing, but a report must have a boolean healthy.
func parseReport(value []byte, index uint64) *report {
	var w wireReport
	err := json.Unmarshal(value, &w)
	if mismatch := (*json.UnmarshalTypeError)(nil); errors.As(err, &mismatch) && mismatch.Field != "" {
		err = nil // the other keys were decoded
	}
	var healthy *bool
	switch {
	case len(value) == 0:
		err = errors.New("the value is empty")
	case err != nil:
		err = fmt.Errorf("the value %s is no report: %w", excerpt(value), err)
	case w.Healthy == nil || json.Unmarshal(w.Healthy, &healthy) != nil || healthy == nil:
		err = fmt.Errorf("the value %s is no report: it has no boolean key healthy", excerpt(value))
	}
	if err != nil {
		return &report{index: index, err: err}
	}
	r := &report{Report: w.Report, index: index}
	r.Healthy = *healthy
	var at health.Time
	if json.Unmarshal(w.Time, &at) == nil && !time.Time(at).IsZero() {
		r.at, r.Time = time.Time(at), &at
	}
	return r
}

// maxExcerpt limits the part of a value that an error quotes, in bytes.
const maxExcerpt = 24

// excerpt quotes the beginning of a value.
func excerpt(value []byte) string {
	if len(value) > maxExcerpt {
		return fmt.Sprintf("%q…", value[:maxExcerpt])
	}
	return fmt.Sprintf("%q", value)
}

// reported reports whether the shard itself reports the word, both as its state and as the content of its status file.
// A shard that is down does not count as ready.
func (r *report) reported(word health.Word) bool {
	return r != nil && r.err == nil && string(r.Status) == string(word) &&
		health.ParseWord(r.Statuses.StatusFileContents) == word && (word != health.WordReady || r.Healthy)
}

// Audit is who set the wanted state of a shard, when and why.
type Audit struct {
	State  string      `json:"state"`
	By     string      `json:"by"`
	At     health.Time `json:"at"`
	Reason string      `json:"reason,omitempty"`
}

// parseAudit returns nil if the value is no audit.
func parseAudit(value []byte) *Audit {
	var a Audit
	if json.Unmarshal(value, &a) != nil || a.By == "" {
		return nil
	}
	a.State, a.By, a.Reason = health.OneLine(a.State), health.OneLine(a.By), health.OneLine(a.Reason)
	return &a
}

// String returns "drain by alice@host at 2026-01-02 15:04:05Z: reason".
func (a *Audit) String() string {
	text := fmt.Sprintf("%s by %s at %s", a.State, a.By, time.Time(a.At).UTC().Format("2006-01-02 15:04:05Z"))
	if a.Reason != "" {
		text += ": " + a.Reason
	}
	return text
}

// same reports whether two audits are of the same change. b may be nil.
func (a *Audit) same(b *Audit) bool {
	return b != nil && a.State == b.State && a.By == b.By && a.Reason == b.Reason && time.Time(a.At).Equal(time.Time(b.At))
}
