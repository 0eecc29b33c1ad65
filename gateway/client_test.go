package gateway

import (
	"net/http/httptest"
	"strings"
	"testing"
)

// flushes counts how often what was written is sent out.
type flushes struct {
	httptest.ResponseRecorder
	n int
}

func (f *flushes) FlushError() error { f.n++; return nil }

func TestLastEventsGoOutWithTheEndOfTheBody(t *testing.T) {
	for _, test := range []struct {
		name   string
		before []string
		last   string
		want   int
	}{
		{"a stream that has begun", []string{"data: 1\n\n", "data: 2\n\n"}, "data: [DONE]\n\n", 2},
		{"a stream of one piece is no answer with a length", nil, "data: [DONE]\n\n", 1},
		{"a long one gets none", nil, "data: " + strings.Repeat("x", leastStream) + "\n\n", 0},
	} {
		t.Run(test.name, func(t *testing.T) {
			client := &flushes{ResponseRecorder: *httptest.NewRecorder()}
			s := newStreamWriter(client, DefaultHeartbeat, comment)
			want := ""
			for _, events := range test.before {
				want += events
				if _, err := s.write([]byte(events)); err != nil {
					t.Fatal(err)
				}
			}
			if n, err := s.writeLast([]byte(test.last)); n != len(test.last) || err != nil {
				t.Fatalf("wrote %d bytes: %v", n, err)
			}
			s.beat() // which comes too late
			if client.n != test.want || client.Body.String() != want+test.last {
				t.Errorf("%d flushes of %q, want %d", client.n, client.Body, test.want)
			}
		})
	}
}
