package main_test

import (
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/signal-sidecar/signal-sidecar/testbed"
)

// fence matches a fenced block of Markdown. The groups are its indentation and its content.
var fence = regexp.MustCompile("(?ms)^( *)```\\w*\n(.*?)^ *```$")

// snippets returns the fenced blocks of the README and of docs/ that match, by page, without their indentation. It
// fails if their number is not as wanted.
func snippets(t *testing.T, match *regexp.Regexp, want int) map[string][]string {
	t.Helper()
	pages, err := filepath.Glob("../../docs/*.md")
	testbed.Must(t, err)
	found, count := map[string][]string{}, 0
	for _, page := range append(pages, "../../README.md") {
		for _, block := range fence.FindAllStringSubmatch(testbed.Contents(page), -1) {
			text := strings.TrimPrefix(strings.ReplaceAll("\n"+block[2], "\n"+block[1], "\n"), "\n")
			if match.MatchString(text) {
				found[filepath.Base(page)] = append(found[filepath.Base(page)], text)
				count++
			}
		}
	}
	if count < want {
		t.Fatalf("%s matches %d snippets, want at least %d", match, count, want)
	}
	return found
}

// TestHAProxySnippets runs "haproxy -c" on each part of a configuration in the documentation, with the parts around it
// that the pages name.
func TestHAProxySnippets(t *testing.T) {
	t.Parallel()
	const around = "defaults\n  mode http\n  timeout connect 5s\n  timeout client 1m\n  timeout server 1m\n" +
		"frontend users\n  bind 127.0.0.1:8080\n  http-request return status 200\n"
	for page, blocks := range snippets(t, regexp.MustCompile(`^(global|backend|resolvers)`), 6) {
		for _, block := range blocks {
			path := testbed.Write(t, t.TempDir(), "haproxy.cfg", around+block)
			if out, err := exec.Command(testbed.Component(t, "haproxy"), "-c", "-f", path).CombinedOutput(); err != nil {
				t.Errorf("%s: %v\n%s\n%s", page, err, block, out)
			}
		}
	}
}

// TestSettingsSnippets checks that check-config accepts each block of settings in the documentation without a notice.
func TestSettingsSnippets(t *testing.T) {
	t.Parallel()
	for page, blocks := range snippets(t, regexp.MustCompile(`^([A-Z_]+=.*\n)+$`), 5) {
		for _, block := range blocks {
			path := testbed.Write(t, t.TempDir(), "settings", block)
			if r := run(t, nil, "check-config", "--env-file", path); r.code != 0 || r.stderr != "" {
				t.Errorf("%s: exit %d\n%s\n%s", page, r.code, block, r.stderr)
			}
		}
	}
}

// TestWebConfigSnippet checks that check-config accepts the web configuration of docs/access.md, with a real password.
func TestWebConfigSnippet(t *testing.T) {
	t.Parallel()
	for page, blocks := range snippets(t, regexp.MustCompile(`^tls_server_config:`), 1) {
		folder, path, _ := protected(t, "")
		hash := regexp.MustCompile(`me: (\S+)`).FindStringSubmatch(testbed.Contents(path))[1]
		testbed.Write(t, folder, "clients.pem", testbed.Contents(filepath.Join(folder, "ca.pem")))
		block := strings.Replace(blocks[0], "$2y$10$...", hash, 1)
		for name, text := range map[string]string{"as printed": block,
			"with clients": strings.ReplaceAll(block, "# client_", "client_")} {
			testbed.Write(t, folder, "web.yml", text)
			if r := run(t, vars{"WEB_CONFIG_FILE": path}, "check-config"); r.code != 0 {
				t.Errorf("%s, %s: exit %d\n%s\n%s", page, name, r.code, text, r.stderr)
			}
		}
	}
}

// TestCommandSnippets checks that every command of signal-sidecar in the documentation exists, with its flags: --help
// is only printed if the rest of the line can be parsed. Other tests run the commands.
func TestCommandSnippets(t *testing.T) {
	t.Parallel()
	path := vars{"PATH": filepath.Dir(testbed.Binary(t)) + ":/usr/bin:/bin"}
	line := regexp.MustCompile(`(?m)^(?:sudo )?(signal-sidecar [^#|\n]*)`)
	for page, blocks := range snippets(t, line, 10) {
		for _, block := range blocks {
			for _, command := range line.FindAllStringSubmatch(block, -1) {
				text := command[1] + " --help"
				r := runCommand(t, t.TempDir(), path, "/bin/sh", "-c", text)
				if r.code != 0 || !strings.HasPrefix(r.stdout, "Usage: signal-sidecar") {
					t.Errorf("%s: %s: exit %d\n%s", page, command[1], r.code, r.stderr)
				}
			}
		}
	}
}

// TestShellSnippets checks the syntax of every block of other commands in the documentation. A placeholder such as
// <node> is a redirection to a shell, so it is an error.
func TestShellSnippets(t *testing.T) {
	t.Parallel()
	match := regexp.MustCompile(
		`^(apt|cosign|curl|dnf|docker|echo|gh|git|go|install|journalctl|kubectl|ls|make|rm|ss|ssh|systemctl) `)
	for page, blocks := range snippets(t, match, 30) {
		for _, block := range blocks {
			path := testbed.Write(t, t.TempDir(), "snippet", block)
			if out, err := exec.Command("/bin/sh", "-n", path).CombinedOutput(); err != nil {
				t.Errorf("%s: %v\n%s\n%s", page, err, block, out)
			}
		}
	}
}

// TestLinks checks that each relative link of the Markdown files leads to a file and, with a fragment, to a heading.
func TestLinks(t *testing.T) {
	t.Parallel()
	link, heading := regexp.MustCompile(`\]\(([^)\s]+)\)`), regexp.MustCompile(`(?m)^#+ (.*)$`)
	removed := regexp.MustCompile("[^a-z0-9 _-]") // as GitHub makes the fragment of a heading
	pages, err := filepath.Glob("../../*.md")
	testbed.Must(t, err)
	more, err := filepath.Glob("../../docs/*.md")
	testbed.Must(t, err)
	checked := 0
	for _, page := range append(pages, more...) {
		for _, found := range link.FindAllStringSubmatch(fence.ReplaceAllString(testbed.Contents(page), ""), -1) {
			to, err := url.Parse(found[1])
			testbed.Must(t, err)
			if to.Scheme != "" {
				continue
			}
			checked++
			target := page
			if to.Path != "" {
				target = filepath.Join(filepath.Dir(page), to.Path)
			}
			if _, err := os.Stat(target); err != nil {
				t.Errorf("%s: %s: %v", page, found[1], err)
			} else if to.Fragment != "" && !slices.ContainsFunc(heading.FindAllStringSubmatch(testbed.Contents(target), -1),
				func(h []string) bool {
					fragment := strings.ReplaceAll(removed.ReplaceAllString(strings.ToLower(h[1]), ""), " ", "-")
					return fragment == to.Fragment
				}) {
				t.Errorf("%s: %s: there is no such heading", page, found[1])
			}
		}
	}
	if checked < 100 {
		t.Errorf("the pages have only %d links", checked)
	}
}

// TestMetricNamesInPages checks that each metric that a page names is one of docs/metrics.md.
func TestMetricNamesInPages(t *testing.T) {
	t.Parallel()
	metrics := testbed.Contents("../../docs/metrics.md")
	pages, err := filepath.Glob("../../docs/*.md")
	testbed.Must(t, err)
	for _, page := range append(pages, "../../README.md", "../../CHANGELOG.md") {
		for _, name := range regexp.MustCompile(`\bsignal_[a-z_]*[a-z]\b`).FindAllString(testbed.Contents(page), -1) {
			if !strings.HasPrefix(name, "signal_sidecar_") && !strings.Contains(metrics, "| "+name+" |") { // of Consul services
				t.Errorf("%s: there is no metric %s", filepath.Base(page), name)
			}
		}
	}
}
