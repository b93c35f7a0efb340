package collector

import (
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"github.com/signal-sidecar/signal-sidecar/health"
)

func BenchmarkParseStats(b *testing.B) {
	// About the size of the body of a recent jicofo.
	body := []byte(`{"participants":123,"conferences":45,"conference_sizes":[` + strings.Repeat("0,", 21) +
		`0],"bridge_selector":{` +
		`"bridge_count":2,"operational_bridge_count":2},` + strings.Repeat(`"x":{"a":1,"b":2,"c":"d"},`, 40) +
		`"threads":64}`)
	b.ReportAllocs()
	b.SetBytes(int64(len(body)))
	for b.Loop() {
		if _, _, err := parseStats(body); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkParseCensus(b *testing.B) {
	for _, n := range []int{0, 1000, 10_000} {
		b.Run(fmt.Sprintf("rooms=%d", n), func(b *testing.B) {
			body := manyRooms(n)
			b.ReportAllocs()
			b.SetBytes(int64(len(body)))
			for b.Loop() {
				read, err := readBody(answerOf(body, len(body)), censusLimit, 0)
				if err != nil {
					b.Fatal(err)
				}
				if _, err := parseCensus(read); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkReadStatusFile(b *testing.B) {
	path := filepath.Join(b.TempDir(), "shard-status")
	write(b, path, "ready\n")
	b.ReportAllocs()
	for b.Loop() {
		if r := readStatusFile(path); r.Word() != health.WordReady {
			b.Fatal(r.Problem)
		}
	}
}
