package recording

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"

	"github.com/signal-sidecar/signal-sidecar/errtext"
	"github.com/signal-sidecar/signal-sidecar/health"
)

// maxProblems limits the problems that are listed for a recording.
const maxProblems = 100

// Recording is the readable content of a file.
type Recording struct {
	Runs []*Run
	// Problems are the lines that could not be read, at most 100. Unread counts all of them.
	Problems []Problem
	Unread   int
}

// Problem is the reason why a line could not be read.
type Problem struct {
	Line   int    `json:"line"` // from 1
	Reason string `json:"reason"`
}

// Read reads to the end. It never fails: it lists unreadable lines in Problems and returns the rest. A reader that
// fails ends the recording with a problem.
//
// The runs have all their observations and changes, which take many times the memory of the file. Replay does not keep
// them.
func Read(r io.Reader) *Recording {
	return read(r, func(run *Run) sink { return (*keeper)(run) })
}

// sink takes the lines of a run, in order.
type sink interface {
	observation(o health.Observation)
	change(c Change)
	end()
}

// keeper keeps everything in the run itself.
type keeper Run

func (k *keeper) observation(o health.Observation) { k.Observations = append(k.Observations, o) }
func (k *keeper) change(c Change)                  { k.Recorded = append(k.Recorded, c) }
func (k *keeper) end()                             {}

// read reads to the end and passes the lines of each run to the sink that begin returns for it.
func read(r io.Reader, begin func(*Run) sink) *Recording {
	p := parser{lines: bufio.NewReaderSize(r, 64<<10), recording: new(Recording), begin: begin}
	for p.next() {
		if err := p.parse(p.text); err != nil {
			p.problem(err)
		}
	}
	p.leaveRun()
	return p.recording
}

type parser struct {
	lines     *bufio.Reader
	recording *Recording
	begin     func(*Run) sink

	number int
	text   []byte
	run    *Run // nil until a readable header
	sink   sink // of run
	lost   bool // the lines that belong to no run were reported
}

var (
	errForeign  = errors.New("neither a header nor an observation nor a verdict: not a recording of signal-sidecar")
	errNoHeader = errors.New("not replayed, with what follows: there is no header before it that could be read")
)

// next reads a line into p.text and keeps at most MaxLine+1 bytes of it. It returns false at the end.
func (p *parser) next() bool {
	p.text = p.text[:0]
	p.number++
	for {
		piece, err := p.lines.ReadSlice('\n')
		p.text = append(p.text, piece[:min(len(piece), MaxLine+1-len(p.text))]...)
		switch {
		case err == nil:
			return true
		case errors.Is(err, bufio.ErrBufferFull): // more of the line follows
		case errors.Is(err, io.EOF):
			return len(p.text) > 0
		default:
			p.problem(errors.New("cannot be read: " + errtext.File(err)))
			return false
		}
	}
}

func (p *parser) problem(err error) {
	p.recording.Unread++
	if len(p.recording.Problems) < maxProblems {
		p.recording.Problems = append(p.recording.Problems, Problem{p.number, err.Error()})
	}
	if p.run != nil {
		p.run.Complete = false
	}
}

func (p *parser) parse(text []byte) error {
	if len(bytes.TrimSpace(text)) == 0 {
		return nil
	}
	var l line
	err := errors.New("longer than 1 MiB")
	if len(text) <= MaxLine {
		err = json.Unmarshal(text, &l)
	}
	switch {
	case err != nil:
		if bytes.HasPrefix(text, []byte(`{"recording"`)) { // the lines below belong to no readable run
			p.endRun()
		}
		return describe(err, text)
	case l.Recording != "":
		return p.header(l)
	case l.T == nil || (l.Observed == nil) == (l.Verdict == nil):
		return errForeign
	case p.run == nil:
		if p.lost {
			return nil
		}
		p.lost = true
		return errNoHeader
	default:
		return p.moment(l)
	}
}

// describe returns the error for a line that is not JSON of this format.
func describe(err error, text []byte) error {
	var syntax *json.SyntaxError
	var kind *json.UnmarshalTypeError
	switch {
	case errors.As(err, &kind) && kind.Field == "":
		return errForeign
	case errors.As(err, &kind):
		return fmt.Errorf("%s is a JSON %s, not what is recorded there", kind.Field, kind.Value)
	case errors.As(err, &syntax) && !bytes.HasSuffix(text, []byte("\n")):
		return fmt.Errorf("cut off, or not JSON: %w", err)
	case errors.As(err, &syntax):
		return fmt.Errorf("not JSON: %w", err)
	default:
		return err
	}
}

func (p *parser) endRun() {
	if p.run != nil {
		p.run.Complete = false
	}
	p.leaveRun()
}

// leaveRun ends the run, if there is one.
func (p *parser) leaveRun() {
	if p.run != nil {
		p.sink.end()
	}
	p.run, p.sink, p.lost = nil, nil, false
}

// header begins a run.
func (p *parser) header(l line) error {
	p.leaveRun()
	if l.Recording != format {
		return fmt.Errorf("recording format %.40q, but only %q is known", l.Recording, format)
	}
	if l.Start == nil || l.Config == nil {
		return errors.New("a header without start or config")
	}
	cfg, err := l.Config.config()
	if err != nil {
		return fmt.Errorf("a header whose config cannot be used: %w", err)
	}
	start := l.Start.UTC()
	run := &Run{Line: p.number, Start: start, End: start, Config: cfg, Complete: true}
	if l.Machine != nil {
		run.machine = health.NewMachine(cfg)
		if err := json.Unmarshal(l.Machine, run.machine); err != nil {
			return err
		}
	}
	p.run, p.sink = run, p.begin(run)
	p.recording.Runs = append(p.recording.Runs, run)
	return nil
}

// moment adds an observation or a verdict to the run.
func (p *parser) moment(l line) error {
	at := p.run.Start.Add(*l.T)
	if at.Before(p.run.End) {
		return fmt.Errorf("t is %d, but time does not run backwards", *l.T)
	}
	if v := l.Verdict; v != nil {
		change := Change{
			Line: p.number, At: at, Agent: v.Agent, Status: v.Status, Damped: v.Damped, Reasons: v.Reasons, Incident: v.Incident,
		}
		if v.Until != 0 {
			change.Until = p.run.Start.Add(v.Until)
		}
		p.sink.change(change)
	} else {
		o := *l.Observed
		if o.Parts() != 1 {
			return fmt.Errorf("an observation of %d parts instead of one", o.Parts())
		}
		o.At = at
		p.sink.observation(o)
	}
	p.run.End = at
	return nil
}
