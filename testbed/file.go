package testbed

import (
	"os"
	"testing"
)

// Contents is what is in a file, "" where there is none.
func Contents(path string) string {
	content, _ := os.ReadFile(path) // not there is empty
	return string(content)
}

// ReplaceFile puts a file in the place of another, by rename.
func ReplaceFile(t testing.TB, path, content string) {
	t.Helper()
	Must(t, os.WriteFile(path+".new", []byte(content), 0o600))
	Must(t, os.Rename(path+".new", path))
}
