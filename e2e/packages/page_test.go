package packages

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/signal-sidecar/signal-sidecar/testbed"
)

// page is an installed page of the documentation whose commands a test runs on a machine as they are printed.
type page struct {
	*machine
	name     string
	commands []string // the lines that were not run yet
}

// block matches a fenced block. The groups are its indentation, its language and its lines.
var block = regexp.MustCompile("(?ms)^( *)```(\\w*)\n(.*?)^ *```$")

// openPage reads the page from the installed package.
func (m *machine) openPage(name string) *page {
	m.t.Helper()
	p := &page{machine: m, name: name}
	for _, found := range block.FindAllStringSubmatch(m.read("/usr/share/doc/signal-sidecar/docs/"+name), -1) {
		if found[2] != "" && found[2] != "sh" { // such as ini
			continue
		}
		for line := range strings.Lines(found[3]) {
			line = strings.TrimSpace(strings.TrimPrefix(line, found[1]))
			p.commands = append(p.commands, line)
		}
	}
	if len(p.commands) < 5 {
		m.t.Fatalf("%s has only the commands %q", name, p.commands)
	}
	return p
}

// next removes the first command with this beginning and returns it.
func (p *page) next(beginning string) string {
	p.t.Helper()
	i := slices.IndexFunc(p.commands, func(c string) bool { return strings.HasPrefix(c, beginning) })
	if i < 0 {
		p.t.Fatalf("%s has no further command %s", p.name, beginning)
	}
	command := p.commands[i]
	p.commands = slices.Delete(p.commands, i, i+1)
	return command
}

// follow runs the next command with this beginning in /root, with the input on its standard input. The command must
// succeed. follow returns the output.
func (p *page) follow(beginning, input string) string {
	p.t.Helper()
	command := strings.TrimPrefix(p.next(beginning), "$ ")
	cmd := p.command("cd /root && " + command)
	cmd.Stdin = strings.NewReader(input)
	out, err := cmd.CombinedOutput()
	if err != nil {
		p.t.Fatalf("%s: %s: %v\n%s", p.name, command, err, out)
	}
	return string(out)
}

// expect is follow for a command without input, whose output must contain a text.
func (p *page) expect(beginning, text string) {
	p.t.Helper()
	if out := p.follow(beginning, ""); !strings.Contains(out, text) {
		p.t.Errorf("%s: %s prints no %q:\n%s", p.name, beginning, text, out)
	}
}

// close checks that each command was run, or is not run for a reason. The keys of the reasons are beginnings.
func (p *page) close(reasons map[string]string) {
	p.t.Helper()
	for beginning, reason := range reasons {
		p.t.Logf("%s: not run: %s: %s", p.name, p.next(beginning), reason)
		for slices.ContainsFunc(p.commands, func(c string) bool { return strings.HasPrefix(c, beginning) }) {
			p.t.Logf("%s: not run: %s: %s", p.name, p.next(beginning), reason)
		}
	}
	for _, command := range p.commands {
		p.t.Errorf("%s: no test runs: %s", p.name, command)
	}
}

// edit runs systemctl edit on a terminal. The editor writes the text to the place that the file names.
func (m *machine) edit(unit, text string) {
	m.t.Helper()
	m.write("/root/text", text)
	m.write("/root/editor", "#!/bin/sh\nfor file; do :; done # the last argument\n"+
		"sed -i '/^### Anything between here/r /root/text' \"$file\"\n")
	m.must("chmod +x /root/editor && SYSTEMD_EDITOR=/root/editor script --quiet --return --command 'systemctl edit %s' /dev/null", unit)
}

// serveRepository makes an apt repository in /srv/repo from Debian packages, by file name, and lets apt use only it.
func (m *machine) serveRepository(debs map[string]string) {
	m.t.Helper()
	var index strings.Builder
	for name, deb := range debs {
		m.take(deb, "/srv/repo/"+name)
		sum, _, _ := strings.Cut(output(m.t, "sha256sum", deb), " ")
		info, err := os.Stat(deb)
		testbed.Must(m.t, err)
		index.WriteString(strings.TrimSpace(output(m.t, "dpkg-deb", "--field", deb)))
		index.WriteString("\nFilename: ./" + name + "\nSHA256: " + sum + "\nSize: " + strconv.FormatInt(info.Size(), 10) + "\n\n")
	}
	m.write("/srv/repo/Packages", index.String())
	m.must("rm -rf /etc/apt/sources.list /etc/apt/sources.list.d/*")
	m.write("/etc/apt/sources.list.d/local.list", "deb [trusted=yes] file:/srv/repo ./\n")
	m.must("apt-get update")
}

// repacked returns the package with another version and another name, and with more lines in its packaged settings.
func repacked(t *testing.T, deb, version, name, settings string) string {
	t.Helper()
	folder := t.TempDir()
	root := filepath.Join(folder, "root")
	output(t, "dpkg-deb", "--raw-extract", deb, root)
	output(t, "sed", "-i", "s/^Version: .*/Version: "+version+"/", filepath.Join(root, "DEBIAN/control"))
	config := filepath.Join(root, configPath)
	testbed.Must(t, os.WriteFile(config, []byte(contents(t, config)+settings), 0o644))
	output(t, "dpkg-deb", "-Znone", "--root-owner-group", "--build", root, filepath.Join(folder, name))
	return filepath.Join(folder, name)
}
