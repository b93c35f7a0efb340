package testbed

import (
	"maps"
	"os"
	"slices"
	"strings"
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

// Flags returns the variables as flags of the sidecar.
func (v Vars) Flags() (all []string) {
	for _, name := range slices.Sorted(maps.Keys(v)) {
		all = append(all, "--"+strings.ToLower(strings.ReplaceAll(name, "_", "-"))+"="+v[name])
	}
	return all
}

// EnvFile returns the variables as the content of a file of variables.
func (v Vars) EnvFile() string {
	var b strings.Builder
	for _, name := range slices.Sorted(maps.Keys(v)) {
		b.WriteString(name + "='" + v[name] + "'\n")
	}
	return b.String()
}
