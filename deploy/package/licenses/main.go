// licenses finds the licences of the Go modules that are linked into a program. It writes their texts to standard
// output, for the file THIRD_PARTY_LICENSES of a release, and adds their SPDX identifiers to SBOMs. From the same
// go.sum and the same version of Go it always writes the same bytes.
//
//	go run ./deploy/package/licenses -tags TAGS ./cmd/signal-sidecar SBOM... >THIRD_PARTY_LICENSES
package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"runtime"
	"strings"
)

// architectures are those of the release. Their packages differ, and one file serves them all.
var architectures = []string{"amd64", "arm64"}

func main() {
	tags := flag.String("tags", "", "build tags of the program, comma-separated")
	flag.Parse()
	if flag.NArg() == 0 {
		fmt.Fprintln(os.Stderr, "usage: licenses [-tags TAGS] PACKAGE [SBOM...]")
		os.Exit(2)
	}
	if err := run(*tags, flag.Arg(0), flag.Args()[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "licenses:", err)
		os.Exit(1)
	}
}

func run(tags, program string, boms []string) error {
	found, err := collect(tags, program)
	if err != nil {
		return err
	}
	ids, err := found.identify()
	if err != nil {
		return err
	}
	for _, path := range boms {
		if err := addToBOM(path, ids); err != nil {
			return fmt.Errorf("%s: %w", path, err)
		}
	}
	return found.write(os.Stdout)
}

// collect finds the licence texts that apply to the packages in a program.
func collect(tags, program string) (texts, error) {
	out, err := goOutput(nil, "env", "GOROOT")
	if err != nil {
		return nil, err
	}
	found, goroot := texts{}, strings.TrimSpace(string(out))
	if err := found.collect(part{"std", runtime.Version(), ""}, goroot, goroot); err != nil {
		return nil, err
	}
	for _, arch := range architectures {
		if err := found.collectPackages(tags, program, arch); err != nil {
			return nil, err
		}
	}
	return found, nil
}

// listed is a package as go list prints it.
type listed struct {
	Dir    string
	Module *struct {
		Path, Version, Dir string
		Main               bool
		Replace            *struct{}
	}
}

// collectPackages adds the texts that apply to the packages of the program on Linux with this architecture.
func (f texts) collectPackages(tags, program, arch string) error {
	out, err := goOutput([]string{"GOOS=linux", "GOARCH=" + arch, "CGO_ENABLED=0"},
		"list", "-deps", "-tags", tags, "-json=Dir,Module", program)
	if err != nil {
		return err
	}
	for decoder := json.NewDecoder(bytes.NewReader(out)); ; {
		var p listed
		if err := decoder.Decode(&p); errors.Is(err, io.EOF) {
			return nil
		} else if err != nil {
			return err
		}
		m := p.Module
		if m == nil || m.Main {
			continue // the standard library, or this module
		}
		if m.Replace != nil {
			return fmt.Errorf("%s is replaced in go.mod: its version says nothing about its licence", m.Path)
		}
		if err := f.collect(part{m.Path, m.Version, ""}, m.Dir, p.Dir); err != nil {
			return err
		}
	}
}

// goOutput runs the go command and returns its standard output.
func goOutput(env []string, args ...string) ([]byte, error) {
	cmd := exec.CommandContext(context.Background(), "go", args...)
	cmd.Env, cmd.Stderr = append(os.Environ(), env...), os.Stderr
	out, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("go %s: %w", args[0], err)
	}
	return out, nil
}
