package config

import (
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/signal-sidecar/signal-sidecar/webconfig"
)

const (
	// stateFile is the name of the state file in the runtime directory.
	stateFile = "state.json"
	// rotatedFiles is the number of full files of a recording that are kept: RECORD_PATH.1 and so on.
	rotatedFiles = 4
	// lookTime limits the look at the files of the settings, for example if a file server does not reply.
	lookTime = time.Second
)

// findStateFile sets the path of the state file: the default is a file in systemd's RuntimeDirectory=.
func (c *Config) findStateFile() {
	r := c.reader
	v := r.values[statePathName]
	if c.StatePath = v.text; strings.EqualFold(strings.TrimSpace(v.text), off) {
		c.StatePath = ""
	}
	folder, _, _ := strings.Cut(os.Getenv("RUNTIME_DIRECTORY"), ":") // several are separated by colons
	if v.origin == originDefault && folder != "" {
		c.StatePath = filepath.Join(folder, stateFile)
		r.values[statePathName] = value{c.StatePath, "RUNTIME_DIRECTORY"}
	}
}

// fileSetting is a file that a setting names.
type fileSetting struct {
	name, path string
	readOnly   bool // may be the same file as another one that is only read
}

// files returns the files that the settings name, and those that are written beside them.
func (c *Config) files() []fileSetting {
	var all []fileSetting
	add := func(name, path string, readOnly bool) {
		if path != "" {
			all = append(all, fileSetting{name, path, readOnly})
		}
	}
	add(statusPathName, c.StatusPath, false)
	add(statusPathName, beside(c.StatusPath, ".signal-sidecar"), false) // package consul
	add(statePathName, c.StatePath, false)
	add(statePathName, beside(c.StatePath, ".tmp"), false) // package state
	add(jicofoDumpName, program(c.JicofoDump), true)
	add(prosodyDumpName, program(c.ProsodyDump), true)
	add(envFileName, c.EnvFile, true)
	add(probeCAFileName, c.ProbeCAFile, true)
	for _, path := range webconfig.Files(c.WebConfigFile) {
		add(webConfigFileName, path, true)
	}
	add(consulTokenFileName, c.Consul.Client.TokenFile, true)
	add(consulCACertName, c.Consul.Client.CAFile, true)
	add(consulCertName, c.Consul.Client.CertFile, true)
	add(consulKeyName, c.Consul.Client.KeyFile, true)
	for _, prefix := range otlpPrefixes() {
		for _, suffix := range []string{"_CERTIFICATE", "_CLIENT_CERTIFICATE", "_CLIENT_KEY"} {
			add(prefix+suffix, os.Getenv(prefix+suffix), true)
		}
	}
	if add(recordPathName, c.RecordPath, false); c.RecordPath != "" {
		for n := range rotatedFiles {
			add(recordPathName, fmt.Sprintf("%s.%d", c.RecordPath, n+1), false)
		}
	}
	return all
}

// beside returns the temporary name under which a file is written before it is renamed, "" for no file.
func beside(path, suffix string) string {
	if path == "" {
		return ""
	}
	return filepath.Join(filepath.Dir(path), "."+filepath.Base(path)+suffix)
}

// program returns the path of the program that a command runs, "" if there is none.
func program(command string) string {
	words := strings.Fields(command)
	if len(words) == 0 {
		return ""
	}
	path, err := exec.LookPath(words[0])
	if err != nil {
		return words[0]
	}
	return path
}

// checkFiles records a problem for each setting that names the same file as another one. caPath is a folder of which
// Consul's client reads every file, "" for none.
func (r *reader) checkFiles(all []fileSetting, caPath string, env *Environment) {
	known := identify(append(slices.Clone(all), fileSetting{path: caPath}))
	reported := map[string]bool{}
	problem := func(name string, accepted error) {
		v, isSetting := r.values[name]
		if !isSetting {
			v = value{os.Getenv(name), env.originOf(name)}
		}
		if !reported[name] {
			r.problem(name, v, accepted)
		}
		reported[name] = true
	}
	for i, a := range all {
		for j, b := range all[:i] {
			if a.name != b.name && (!a.readOnly || !b.readOnly) && known[i].same(known[j]) {
				problem(a.name, fmt.Errorf("a file of its own: %s uses %s too", b.name, b.path))
			}
		}
		if folder := known[len(all)].path; !a.readOnly && folder != "" && filepath.Dir(known[i].path) == folder {
			problem(a.name, fmt.Errorf("a file outside of %s=%s", consulCAPathName, caPath))
		}
	}
}

// identity identifies a file.
type identity struct {
	path string      // absolute and, if possible, without symbolic links; "" for no file
	info fs.FileInfo // nil if the file does not exist
}

func (a identity) same(b identity) bool {
	return a.path != "" && a.path == b.path || a.info != nil && b.info != nil && os.SameFile(a.info, b.info)
}

// identify identifies the files. If the file systems do not reply in time, it compares the names only.
func identify(all []fileSetting) []identity {
	named := make([]identity, len(all))
	for i, f := range all {
		if path, err := filepath.Abs(f.path); err == nil && f.path != "" {
			named[i].path = path
		}
	}
	done := make(chan []identity, 1)
	go func() {
		looked := make([]identity, len(all))
		for i, f := range named {
			looked[i] = look(f.path)
		}
		done <- looked
	}()
	select {
	case looked := <-done:
		return looked
	case <-time.After(lookTime):
		return named
	}
}

func look(path string) identity {
	if path == "" {
		return identity{}
	}
	if resolved, err := filepath.EvalSymlinks(path); err == nil {
		info, err := os.Stat(resolved)
		if err != nil {
			return identity{path: resolved}
		}
		return identity{resolved, info}
	}
	if folder, err := filepath.EvalSymlinks(filepath.Dir(path)); err == nil {
		return identity{path: filepath.Join(folder, filepath.Base(path))}
	}
	return identity{path: path}
}
