package health

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
)

// maxProblems is how many problems of a recording are told.
const maxProblems = 100

// Recording is what could be read of a file.
type Recording struct {
	Runs []*Run
	// Problems are the lines that could not be read, at most 100 of them; Unread counts all.
	Problems []RecordingProblem
	Unread   int
}

// RecordingProblem says why a line could not be read.
type RecordingProblem struct {
	Line   int    `json:"line"` // from 1
	Reason string `json:"reason"`
}

// ReadRecording reads to the end. Nothing in the file makes it fail: what cannot be read is told in Problems, and the rest
// is returned. A reader that fails ends the recording with a problem.
func ReadRecording(r io.Reader) *Recording {
	p := recordingParser{lines: bufio.NewReaderSize(r, 64<<10), recording: new(Recording)}
	for p.next() {
		if err := p.parse(p.text); err != nil {
			p.problem(err)
		}
	}
	return p.recording
}

type recordingParser struct {
	lines     *bufio.Reader
	recording *Recording

	number int
	text   []byte
	run    *Run // nil before a header that could be read
	lost   bool // the lines that belong to no run have been told of
}

var (
	errForeign  = errors.New("neither a header nor an observation nor a verdict: not a recording of signal-sidecar")
	errNoHeader = errors.New("not replayed, with what follows: there is no header before it that could be read")
)

// next reads a line into p.text, of which no more than MaxRecordingLine bytes are kept. It is false at the end.
func (p *recordingParser) next() bool {
	p.text = p.text[:0]
	p.number++
	for {
		piece, err := p.lines.ReadSlice('\n')
		p.text = append(p.text, piece[:min(len(piece), MaxRecordingLine+1-len(p.text))]...)
		switch {
		case err == nil:
			return true
		case errors.Is(err, bufio.ErrBufferFull): // more of the line follows
		case errors.Is(err, io.EOF):
			return len(p.text) > 0
		default:
			p.problem(fmt.Errorf("cannot be read: %w", err))
			return false
		}
	}
}

func (p *recordingParser) problem(err error) {
	p.recording.Unread++
	if len(p.recording.Problems) < maxProblems {
		p.recording.Problems = append(p.recording.Problems, RecordingProblem{p.number, err.Error()})
	}
	if p.run != nil {
		p.run.Complete = false
	}
}

func (p *recordingParser) parse(text []byte) error {
	if len(bytes.TrimSpace(text)) == 0 {
		return nil
	}
	var line recordingLine
	err := errors.New("longer than 1 MiB")
	if len(text) <= MaxRecordingLine {
		err = json.Unmarshal(text, &line)
	}
	switch {
	case err != nil:
		if bytes.HasPrefix(text, []byte(`{"recording"`)) { // what follows belongs to no run that could be read
			p.endRun()
		}
		return describe(err, text)
	case line.Recording != "":
		return p.header(line)
	case line.T == nil || (line.Observed == nil) == (line.Verdict == nil):
		return errForeign
	case p.run == nil:
		if p.lost {
			return nil
		}
		p.lost = true
		return errNoHeader
	default:
		return p.moment(line)
	}
}

// describe says what is wrong with a line that is no JSON of ours.
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

func (p *recordingParser) endRun() {
	if p.run != nil {
		p.run.Complete = false
	}
	p.run, p.lost = nil, false
}

// header begins a run.
func (p *recordingParser) header(line recordingLine) error {
	p.run, p.lost = nil, false
	if line.Recording != recordingFormat {
		return fmt.Errorf("recording format %.40q, but only %q is known", line.Recording, recordingFormat)
	}
	if line.Start == nil || line.Config == nil {
		return errors.New("a header without start or config")
	}
	cfg, err := line.Config.config()
	if err != nil {
		return fmt.Errorf("a header whose config cannot be used: %w", err)
	}
	start := line.Start.UTC()
	run := &Run{Line: p.number, Start: start, End: start, Config: cfg, Complete: true}
	if line.Machine != nil {
		run.machine = NewMachine(cfg)
		if err := json.Unmarshal(line.Machine, run.machine); err != nil {
			return err
		}
	}
	p.run = run
	p.recording.Runs = append(p.recording.Runs, run)
	return nil
}

// moment adds an observation or a verdict to the run.
func (p *recordingParser) moment(line recordingLine) error {
	at := p.run.Start.Add(*line.T)
	if at.Before(p.run.End) {
		return fmt.Errorf("t is %d, but time does not run backwards", *line.T)
	}
	if v := line.Verdict; v != nil {
		change := RecordedChange{
			Line: p.number, At: at, Agent: v.Agent, Status: v.Status, Damped: v.Damped, Reasons: v.Reasons, Incident: v.Incident,
		}
		if v.Until != 0 {
			change.Until = p.run.Start.Add(v.Until)
		}
		p.run.Recorded = append(p.run.Recorded, change)
	} else {
		o := *line.Observed
		if o.parts() != 1 {
			return fmt.Errorf("an observation of %d parts instead of one", o.parts())
		}
		o.At = at
		p.run.Observations = append(p.run.Observations, o)
	}
	p.run.End = at
	return nil
}
