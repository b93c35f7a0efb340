package consul

import (
	"os"

	"github.com/signal-sidecar/signal-sidecar/health"
)

// WriteStatusFile writes a word to a status file as the watch of the key does: no reader gets a word that nobody wrote.
// It returns the word that the file had before, WordUnknown for any other content and for no file. A file that has the
// word already is not written.
func WriteStatusFile(path string, word health.Word) (before health.Word, err error) {
	f := statusFile{path, (*os.File).Sync}
	before = f.word()
	if before == word {
		return before, nil
	}
	return before, f.write(word)
}
