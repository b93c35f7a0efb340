package testbed

import (
	"os"
	"path/filepath"
	"testing"
)

// Contents returns the contents of a file, or "" if it cannot be read.
func Contents(path string) string {
	content, _ := os.ReadFile(path) // a missing file counts as empty
	return string(content)
}

// Write writes a file in a folder and returns its path.
func Write(t testing.TB, folder, name, content string) string {
	t.Helper()
	path := filepath.Join(folder, name)
	Must(t, os.WriteFile(path, []byte(content), 0o600))
	return path
}

// ReplaceFile replaces a file by rename.
func ReplaceFile(t testing.TB, path, content string) {
	t.Helper()
	Must(t, os.WriteFile(path+".new", []byte(content), 0o600))
	Must(t, os.Rename(path+".new", path))
}
