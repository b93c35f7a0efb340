package main

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
)

// licenseFile matches the names of files with licence texts and notices.
var licenseFile = regexp.MustCompile(`(?i)^(licen[cs]e|copying|notice|patents|third[-_]party[-_]notices)([-._][a-z0-9.]+)*$`)

// part is a module, or a folder in it.
type part struct{ module, version, folder string }

func (p part) String() string {
	name := p.module + " " + p.version
	if p.module == "std" {
		name = "the Go standard library " + p.version
	}
	if p.folder != "" {
		name += ", in " + p.folder
	}
	return name
}

// texts holds the parts to which each licence text applies.
type texts map[string][]part

// collect adds the texts in a package's folder and in its parents, up to the folder of the module. A text below the
// module's folder applies to a part of the module only. It is an error if the module's folder has no text.
func (f texts) collect(p part, module, folder string) error {
	for {
		entries, err := os.ReadDir(folder)
		if err != nil {
			return err
		}
		if p.folder, err = filepath.Rel(module, folder); err != nil {
			return err
		}
		p.folder = strings.TrimPrefix(filepath.ToSlash(p.folder), ".")
		found := false
		for _, e := range entries {
			if !e.Type().IsRegular() || !licenseFile.MatchString(e.Name()) || filepath.Ext(e.Name()) == ".go" {
				continue
			}
			found = true
			content, err := os.ReadFile(filepath.Join(folder, e.Name()))
			if err != nil {
				return err
			}
			f.add(normalized(content), p)
		}
		if folder == module {
			if !found {
				return fmt.Errorf("%s has no licence file in %s", p.module, module)
			}
			return nil
		}
		folder = filepath.Dir(folder)
	}
}

func (f texts) add(text string, p part) {
	if text != "" && !slices.Contains(f[text], p) {
		f[text] = append(f[text], p)
	}
}

// normalized removes what differs between copies of one text: ends of lines, and white space before them.
func normalized(content []byte) string {
	lines := strings.Split(strings.ReplaceAll(string(content), "\r\n", "\n"), "\n")
	for i := range lines {
		lines[i] = strings.TrimRight(lines[i], " \t")
	}
	return strings.Trim(strings.Join(lines, "\n"), "\n")
}

const heading = `Licences of the third-party code in signal-sidecar

The program contains the Go modules below. Each text is preceded by the modules to which it applies. The source code of
each module, in the same version, is available from https://proxy.golang.org and from the repository that its name
begins with. The licence of signal-sidecar itself is in the file LICENSE (Debian: copyright).
`

// write writes each text once, after the names to which it applies, sorted by the first name.
func (f texts) write(w io.Writer) error {
	type section struct {
		names []string
		text  string
	}
	sections := make([]section, 0, len(f))
	for text, parts := range f {
		var names []string
		for _, p := range parts {
			names = append(names, p.String())
		}
		slices.Sort(names)
		sections = append(sections, section{names, text})
	}
	slices.SortFunc(sections, func(a, b section) int {
		if c := slices.Compare(a.names, b.names); c != 0 {
			return c
		}
		return strings.Compare(a.text, b.text)
	})
	out := bufio.NewWriter(w)
	fmt.Fprintf(out, "%s\n", heading)
	for _, s := range sections {
		fmt.Fprintf(out, "%s\n\n", strings.Repeat("=", 80))
		for _, name := range s.names {
			fmt.Fprintf(out, "* %s\n", name)
		}
		fmt.Fprintf(out, "\n%s\n\n", s.text)
	}
	return out.Flush()
}
