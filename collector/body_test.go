package collector

import (
	"bytes"
	"errors"
	"io"
	"net/http"
	"runtime"
	"testing"
	"testing/iotest"
)

// answerOf returns a response with a body. length is its Content-Length, -1 for none.
func answerOf(b []byte, length int) *http.Response {
	return &http.Response{ContentLength: int64(length), Body: io.NopCloser(bytes.NewReader(b))}
}

// TestBody checks that readBody reads up to the limit and not beyond, for any announced or expected length, and returns
// what it read.
func TestBody(t *testing.T) {
	const limit = 10_000
	for _, size := range []int{0, 1, 511, 512, 513, 5000, limit, limit + 1, 2 * limit} {
		for _, announced := range []int{-1, size} {
			for _, expected := range []int64{0, 1, 600, limit, 1 << 50} {
				sent := bytes.Repeat([]byte("x"), size)
				got, err := readBody(answerOf(sent, announced), limit, expected)
				if over := size > limit; errors.Is(err, errBodySize) != over || !over && err != nil ||
					!over && len(got) != size || len(got) > limit+1 {
					t.Errorf("%d bytes, announced %d, expected %d: read %d, %v", size, announced, expected, len(got), err)
				}
				if cap(got) > limit+1+bytes.MinRead {
					t.Errorf("%d bytes, announced %d, expected %d: room for %d", size, announced, expected, cap(got))
				}
			}
		}
	}
	for _, lie := range []int{1 << 50, 3} { // net/http cuts a body to its length; the limit does not depend on that
		if got, err := readBody(answerOf([]byte("what came"), lie), limit, 0); string(got) != "what came" || err != nil {
			t.Errorf("announced %d: read %q, %v", lie, got, err)
		}
	}
}

// TestBodyBreaksOff checks that readBody returns what it read before an error.
func TestBodyBreaksOff(t *testing.T) {
	broken := errors.New("broken")
	from := io.MultiReader(bytes.NewReader([]byte("half")), iotest.ErrReader(broken))
	got, err := readBody(&http.Response{ContentLength: 8, Body: io.NopCloser(from)}, 100, 0)
	if string(got) != "half" || !errors.Is(err, broken) {
		t.Errorf("read %q, %v", got, err)
	}
}

// TestCensusMemory measures the total allocation for a large census: the body once. If neither the response nor the
// previous body determines the length, the buffer is doubled: at most three times the body is held at a time.
func TestCensusMemory(t *testing.T) {
	sent := manyRooms(50_000)
	for _, tt := range []struct {
		name     string
		length   int
		expected int64
		most     float64 // times the body
	}{
		{"announced", len(sent), 0, 1.1},
		{"as long as the one before", -1, int64(len(sent)) * 9 / 8, 1.2},
		{"unknown", -1, 0, 4.1},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			body, err := readBody(answerOf(sent, tt.length), censusLimit, tt.expected)
			if err != nil {
				t.Fatal(err)
			}
			found, err := parseCensus(body)
			runtime.ReadMemStats(&after)
			if err != nil || len(found.rows) == 0 {
				t.Fatalf("%d bytes of rooms, %v", len(found.rows), err)
			}
			times := float64(after.TotalAlloc-before.TotalAlloc) / float64(len(sent))
			t.Logf("%d KiB of census: %.2f times as much allocated, in %d pieces", len(sent)>>10, times,
				after.Mallocs-before.Mallocs)
			if times > tt.most {
				t.Errorf("more than %v times", tt.most)
			}
			if pieces := after.Mallocs - before.Mallocs; pieces > 200 { // includes allocations of other goroutines
				t.Errorf("%d allocations for 50,000 rooms", pieces)
			}
		})
	}
}
