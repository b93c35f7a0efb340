package testbed

import (
	"maps"
	"os"
)

// Vars are environment variables.
type Vars map[string]string

// With returns a copy of the variables, with others added. A value in others replaces one in v.
func (v Vars) With(others Vars) Vars {
	all := Vars{}
	maps.Copy(all, v)
	maps.Copy(all, others)
	return all
}

// Environ returns the whole environment of a process: PATH and HOME, and the variables.
func (v Vars) Environ() []string {
	all := append(make([]string, 0, len(v)+2), "PATH="+os.Getenv("PATH"), "HOME=/nonexistent")
	for name, value := range v {
		all = append(all, name+"="+value)
	}
	return all
}
