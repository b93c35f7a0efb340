package config

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"strings"
)

const (
	defaultEnvFile = ".env"
	maxEnvFile     = 1 << 20 // bytes
)

// errLargeEnvFile is the error for a file that systemd reads and this program does not.
var errLargeEnvFile = fmt.Errorf("larger than %d bytes", maxEnvFile)

// envFile is the content of a file of variables. Its notices and the errors of its parsers do not quote the file, which
// may contain secrets.
type envFile struct {
	values  map[string]string
	notices []string // one sentence for each line that is ignored or has an unexpected meaning
}

// readEnvFile reads a file of variables. It reads a file with the name .env as the original's dotenv does, and any
// other file as systemd reads an EnvironmentFile=.
func readEnvFile(path string) (envFile, error) {
	content, err := readBounded(path)
	if err != nil {
		return envFile{}, err
	}
	if filepath.Base(path) == defaultEnvFile {
		values, err := parseDotenv(string(content))
		return envFile{values: values}, err
	}
	return parseSystemd(string(content))
}

func readBounded(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	content, err := io.ReadAll(io.LimitReader(f, maxEnvFile+1))
	if err != nil {
		return nil, err
	}
	if len(content) > maxEnvFile {
		return nil, errLargeEnvFile
	}
	if at := bytes.IndexByte(content, 0); at >= 0 {
		return nil, fmt.Errorf("line %d holds a NUL byte", 1+bytes.Count(content[:at], []byte("\n")))
	}
	return content, nil
}

// dotenvLine matches a line with a variable: an optional "export", the name, and the value with the white space around
// it.
var dotenvLine = regexp.MustCompile(`^\s*(?:export\s+)?([\w.-]+)\s*=(.*)$`)

var lineEnds = strings.NewReplacer("\r\n", "\n", "\r", "\n")

// parseDotenv parses KEY=value lines by the rules of dotenv 8, which the original uses: each value is verbatim, without
// expansion of $ and without comments after it. Quotes around the whole value are removed; in double quotes, \n is a
// newline. It differs from dotenv in three points: "export" before the name is accepted, a byte order mark is skipped,
// and a line without a variable or with an unterminated quote is an error.
func parseDotenv(content string) (map[string]string, error) {
	values := map[string]string{}
	var problems []error
	number := 0
	for line := range strings.SplitSeq(lineEnds.Replace(strings.TrimPrefix(content, "\uFEFF")), "\n") {
		number++
		if text := strings.TrimSpace(line); text == "" || text[0] == '#' {
			continue
		}
		found := dotenvLine.FindStringSubmatch(line)
		if found == nil {
			problems = append(problems, fmt.Errorf("line %d is neither KEY=value nor a # comment", number))
			continue
		}
		value, ok := unquoteDotenv(strings.TrimSpace(found[2]))
		if !ok {
			problems = append(problems,
				fmt.Errorf("line %d has a value that begins with a quote and does not end with it", number))
			continue
		}
		values[found[1]] = value
	}
	return values, errors.Join(problems...)
}

// unquoteDotenv removes the quotes around a value. It returns false if a quote is not terminated.
func unquoteDotenv(value string) (string, bool) {
	if value == "" || value[0] != '"' && value[0] != '\'' {
		return value, true
	}
	quote, end := value[0], len(value)-1
	if end == 0 || value[end] != quote {
		return "", false
	}
	value = value[1:end]
	if quote == '"' {
		value = strings.ReplaceAll(value, `\n`, "\n")
	}
	return value, true
}
