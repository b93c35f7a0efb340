package testbed

import "os"

// Contents is what is in a file, "" where there is none.
func Contents(path string) string {
	content, _ := os.ReadFile(path) // not there is empty
	return string(content)
}
