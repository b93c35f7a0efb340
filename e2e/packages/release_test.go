package packages

import (
	"bytes"
	"debug/buildinfo"
	"debug/elf"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/signal-sidecar/signal-sidecar/testbed"
	"github.com/signal-sidecar/signal-sidecar/testbed/node"
)

// TestReproducible builds the release again in another folder and another environment, and compares every byte.
func TestReproducible(t *testing.T) {
	t.Parallel()
	first := release(t)
	second, err := buildRelease("a second place", "deb rpm release",
		"umask 077; export TZ=Asia/Tokyo LC_ALL=C.UTF-8 GOAMD64=v3 GOFLAGS=-buildvcs=false HOSTNAME=elsewhere")
	testbed.Must(t, err)
	names := files(t, first)
	if again := files(t, second); !slices.Equal(names, again) {
		t.Fatalf("the first release has %q, the second %q", names, again)
	}
	for _, name := range names {
		if contents(t, filepath.Join(first, name)) != contents(t, filepath.Join(second, name)) {
			t.Errorf("%s differs", name)
		}
	}
}

// files lists the files of a folder.
func files(t *testing.T, folder string) []string {
	t.Helper()
	entries, err := os.ReadDir(folder)
	testbed.Must(t, err)
	var names []string
	for _, entry := range entries {
		if entry.Type().IsRegular() {
			names = append(names, entry.Name())
		}
	}
	return names
}

// TestRelease checks every file of the release.
func TestRelease(t *testing.T) {
	dist := release(t)
	version := packageVersion(t, dist)
	want := []string{"SHA256SUMS", "THIRD_PARTY_LICENSES"}
	for _, arch := range []string{"amd64", "arm64"} {
		want = append(want, "signal-sidecar_"+version+"-1_"+arch+".deb",
			"signal-sidecar-"+version+"-linux-"+arch+".tar.gz", "signal-sidecar-"+version+"-linux-"+arch+".cdx.json")
	}
	for _, arch := range []string{"x86_64", "aarch64"} {
		want = append(want, "signal-sidecar-"+version+"-1."+arch+".rpm")
	}
	slices.Sort(want)
	names := files(t, dist)
	if !slices.Equal(names, want) {
		t.Errorf("the release consists of %q, not of %q", names, want)
	}
	sums := output(t, "sh", "-c", "cd '"+dist+"' && sha256sum --check --strict SHA256SUMS")
	if n := strings.Count(sums, ": OK"); n != len(names)-1 {
		t.Errorf("%d files are in SHA256SUMS:\n%s", n, sums)
	}
	for arch, machine := range map[string]elf.Machine{"amd64": elf.EM_X86_64, "arm64": elf.EM_AARCH64} {
		t.Run(arch, func(t *testing.T) { checkArchive(t, dist, version, arch, machine) })
	}
}

var plain = regexp.MustCompile(`^\d+\.\d+\.\d+(~[0-9A-Za-z.]+)?(\+dirty)?$`)

// packageVersion returns the version in the Debian package's name. TestVersionOrder checks the order of such versions.
func packageVersion(t *testing.T, dist string) string {
	t.Helper()
	name := filepath.Base(one(t, dist, "*_amd64.deb"))
	version := strings.TrimSuffix(strings.TrimPrefix(name, "signal-sidecar_"), "-1_amd64.deb")
	if !plain.MatchString(version) {
		t.Errorf("the version is %q", version)
	}
	return version
}

// checkArchive unpacks and checks the archive of one architecture.
func checkArchive(t *testing.T, dist, version, arch string, machine elf.Machine) {
	name := "signal-sidecar-" + version + "-linux-" + arch
	folder := filepath.Join(t.TempDir(), name)
	output(t, "tar", "-xzf", filepath.Join(dist, name+".tar.gz"), "-C", filepath.Dir(folder))
	for _, file := range []string{"LICENSE", "README.md", "CHANGELOG.md", "config", "signal-sidecar.service",
		"signal-sidecar-agent.socket", "signal-sidecar-http.socket",
		"THIRD_PARTY_LICENSES", "signal-sidecar.8.gz", "completion.bash", "completion.zsh", "completion.fish"} {
		info, err := os.Stat(filepath.Join(folder, file))
		testbed.Must(t, err)
		if info.Mode() != 0o644 || info.Size() == 0 {
			t.Errorf("%s: mode %s, %d bytes", file, info.Mode(), info.Size())
		}
	}
	program := filepath.Join(folder, "signal-sidecar")
	checkBinary(t, program, machine)
	build, err := buildinfo.ReadFile(program)
	testbed.Must(t, err)
	if got := asPackageVersion(t, build.Main.Version); got != version {
		t.Errorf("the version of the binary, %s, gives %s; the package has %s", build.Main.Version, got, version)
	}
	command := []string{program}
	if arch != strings.TrimSpace(output(t, "go", "env", "GOHOSTARCH")) {
		command = []string{testbed.Component(t, emulators[arch]), program}
	}
	checkRun(t, build.Main.Version, command)
	checkBOM(t, filepath.Join(dist, name+".cdx.json"), build)
	checkLicenses(t, filepath.Join(folder, "THIRD_PARTY_LICENSES"), build)
}

// checkBinary checks that a binary is static, without symbols, and for its machine.
func checkBinary(t *testing.T, path string, machine elf.Machine) {
	file, err := elf.Open(path)
	testbed.Must(t, err)
	defer file.Close()
	if file.Machine != machine {
		t.Errorf("the binary is for %s", file.Machine)
	}
	for _, section := range []string{".symtab", ".debug_info", ".zdebug_info", ".interp", ".dynamic"} {
		if file.Section(section) != nil {
			t.Errorf("the binary has a section %s", section)
		}
	}
	if home, err := os.UserHomeDir(); err == nil && bytes.Contains([]byte(contents(t, path)), []byte(home+"/go/")) {
		t.Error("the binary tells where it was built")
	}
}

// emulators run programs of another architecture.
var emulators = map[string]string{"amd64": "qemu-x86_64-static", "arm64": "qemu-aarch64-static"}

// checkRun runs the program with a simulated node, through a drain and a crash.
func checkRun(t *testing.T, version string, command []string) {
	if out := output(t, command[0], append(command[1:], "version")...); !strings.Contains(out, version+" (revision ") {
		t.Errorf("version: %s", out)
	}
	n := node.Start(t)
	s := testbed.StartSidecarBy(t, testbed.Quick.With(n.Settings()), command[0], command[1:]...)
	s.Becomes(t, "up ready 100%")
	n.Say(t, "drain")
	s.Becomes(t, "up drain 0%")
	n.Say(t, "ready")
	s.Becomes(t, "up ready 100%")
	testbed.Must(t, n.Jicofo.Crash())
	s.Becomes(t, "down ready 100%")
	testbed.Must(t, n.Jicofo.Recover())
	s.Becomes(t, "up ready 100%")
	if code, _ := s.Stop(t, syscall.SIGTERM); code != 0 {
		t.Errorf("exit %d", code)
	}
}

// checkBOM compares the list of modules with what the linker recorded.
func checkBOM(t *testing.T, path string, build *buildinfo.BuildInfo) {
	var bom struct {
		Format   string `json:"bomFormat"`
		Metadata struct{ Component struct{ Version string } }
		Parts    []struct {
			Name, Version, PURL string
			Licenses            []struct{ Expression string }
		} `json:"components"`
	}
	testbed.Must(t, json.Unmarshal([]byte(contents(t, path)), &bom))
	if bom.Format != "CycloneDX" || bom.Metadata.Component.Version != build.Main.Version {
		t.Errorf("format %q, version %q", bom.Format, bom.Metadata.Component.Version)
	}
	listed := map[string]bool{}
	for _, part := range bom.Parts {
		listed[part.Name+" "+part.Version] = strings.HasPrefix(part.PURL, "pkg:golang/")
		if len(part.Licenses) != 1 || part.Licenses[0].Expression == "" {
			t.Errorf("the SBOM names no licence of %s", part.Name)
		}
	}
	for _, module := range build.Deps {
		if !listed[module.Path+" "+module.Version] {
			t.Errorf("the SBOM has no %s %s", module.Path, module.Version)
		}
	}
	if !listed["std "+build.GoVersion] {
		t.Errorf("the SBOM has no std %s", build.GoVersion)
	}
}

// checkLicenses checks that every module in the binary, and the standard library, has a licence text.
func checkLicenses(t *testing.T, path string, build *buildinfo.BuildInfo) {
	texts := contents(t, path)
	names := []string{"the Go standard library " + build.GoVersion}
	for _, module := range build.Deps {
		names = append(names, module.Path+" "+module.Version)
	}
	for _, name := range names {
		if !strings.Contains(texts, "\n* "+name+"\n") {
			t.Errorf("THIRD_PARTY_LICENSES has no %s", name)
		}
	}
	if n := strings.Count(texts, "Apache License\n"); n == 0 {
		t.Error("THIRD_PARTY_LICENSES has names, but no texts")
	}
}

// asPackageVersion returns the package version that version.sh makes of a binary's version.
func asPackageVersion(t *testing.T, version string) string {
	t.Helper()
	return strings.TrimSpace(output(t, "bash", "-c", "../../deploy/package/version.sh "+version))
}

// TestVersionOrder compares versions with the order of apt and dnf. Each must be above the one before.
func TestVersionOrder(t *testing.T) {
	t.Parallel()
	order := []struct{ binary, packaged string }{
		{"v0.0.0-20260102150405-0123456789ab", "0.0.0~git20260102150405.0123456789ab"},
		{"v0.0.0-20260103150405-fedcba987654", "0.0.0~git20260103150405.fedcba987654"},
		{"v0.9.0", "0.9.0"},
		{"v1.0.0-rc.1", "1.0.0~rc.1"},
		{"v1.0.0-rc.1.0.20260301000000-0123456789ab", "1.0.0~rc.1.0.git20260301000000.0123456789ab"},
		{"v1.0.0-rc.2", "1.0.0~rc.2"},
		{"v1.0.0", "1.0.0"},
		{"v1.0.0+dirty", "1.0.0+dirty"},
		{"v1.0.1-0.20260401000000-0123456789ab", "1.0.1~git20260401000000.0123456789ab"},
		{"v1.0.1-0.20260401000000-0123456789ab+dirty", "1.0.1~git20260401000000.0123456789ab+dirty"},
		{"v1.0.1", "1.0.1"},
		{"v1.10.0", "1.10.0"},
	}
	node := []string{"0.0.1", "0.0.1-1", "0.3.2-1", "1.0-115-1"}
	previous := ""
	for _, v := range order {
		if got := asPackageVersion(t, v.binary); got != v.packaged {
			t.Errorf("%s becomes %s, not %s", v.binary, got, v.packaged)
		}
		current := "1:" + v.packaged + "-1"
		for _, old := range node {
			output(t, "dpkg", "--compare-versions", current, "gt", old)
		}
		if previous != "" {
			output(t, "dpkg", "--compare-versions", current, "gt", previous)
		}
		previous = current
	}
}

// TestVersionUnknown checks that version.sh refuses the version of a binary that was built without git.
func TestVersionUnknown(t *testing.T) {
	t.Parallel()
	for _, version := range []string{"(devel)", "", "unknown"} {
		out, err := shell("../../deploy/package/version.sh '%s'", version)
		if err == nil || !strings.Contains(out, "git checkout") {
			t.Errorf("%q: %v, %s", version, err, out)
		}
	}
}

// TestLintian runs Debian's own check of packages.
func TestLintian(t *testing.T) {
	t.Parallel()
	lintian := testbed.Component(t, "lintian")
	out := output(t, lintian, "--allow-root", "--fail-on", "error,warning", "--tag-display-limit", "0",
		one(t, release(t), "*_amd64.deb"))
	if strings.TrimSpace(out) != "" {
		t.Errorf("lintian: %s", out)
	}
}

// TestControl checks the control fields of the Debian packages.
func TestControl(t *testing.T) {
	dist := release(t)
	for _, arch := range []string{"amd64", "arm64"} {
		deb := one(t, dist, "*_"+arch+".deb")
		for field, want := range map[string]string{
			"Package": "signal-sidecar", "Architecture": arch, "Depends": "adduser", "Section": "net", "Priority": "optional",
			"Version": "1:" + packageVersion(t, dist) + "-1",
		} {
			if got := strings.TrimSpace(output(t, "dpkg-deb", "--field", deb, field)); got != want {
				t.Errorf("%s, %s: %q, not %q", arch, field, got, want)
			}
		}
		if conffiles := output(t, "dpkg-deb", "--info", deb, "conffiles"); conffiles != "/etc/jitsi/signal-sidecar/config\n" {
			t.Errorf("%s: conffiles %q", arch, conffiles)
		}
		if maintainer := output(t, "dpkg-deb", "--field", deb, "Maintainer"); !strings.Contains(maintainer, "<") {
			t.Errorf("%s: maintainer %s", arch, maintainer)
		}
	}
}

// TestManualPage checks that the packaged page can be formatted without a warning.
func TestManualPage(t *testing.T) {
	folder := t.TempDir()
	output(t, "dpkg-deb", "--extract", one(t, release(t), "*_amd64.deb"), folder)
	page := filepath.Join(folder, "usr/share/man/man8/signal-sidecar.8.gz")
	out, err := shell("zcat '%s' | "+testbed.Component(t, "mandoc")+" -T lint -W warning", page)
	if err != nil || out != "" {
		t.Errorf("mandoc: %v\n%s", err, out)
	}
}

// shell runs a shell command.
func shell(format string, args ...any) (string, error) {
	out, err := execShell(fmt.Sprintf(format, args...)).CombinedOutput()
	return string(out), err
}
