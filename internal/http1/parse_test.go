package http1

import (
	"bufio"
	"bytes"
	"net/http"
	"reflect"
	"slices"
	"strings"
	"testing"
)

func parse(t *testing.T, text string) (*http.Response, framing, error) {
	t.Helper()
	var r http.Response
	f, err := parseHead([]byte(text), &r)
	return &r, f, err
}

func TestHeadsAreParsed(t *testing.T) {
	r, f, err := parse(t, "HTTP/1.1 200 OK\r\ncontent-type:  application/json \r\nX-A: 1\r\nx-a:2\r\nEmpty:\r\nContent-Length: 12\r\n\r\n")
	if err != nil {
		t.Fatal(err)
	}
	want := http.Header{"Content-Type": {"application/json"}, "X-A": {"1", "2"}, "Empty": {""}, "Content-Length": {"12"}}
	if r.StatusCode != 200 || r.Status != "200 OK" || r.ContentLength != 12 || r.Close || !reflect.DeepEqual(r.Header, want) || f != (framing{counted: true}) {
		t.Errorf("the answer is %+v, framed %+v", r, f)
	}
}

func TestBodiesAreFramed(t *testing.T) {
	for _, test := range []struct {
		head  string
		want  framing
		close bool
	}{
		{"1.1 200 OK\r\nContent-Length: 3", framing{counted: true}, false},
		{"1.1 200 OK\r\nContent-Length: 0", framing{}, false},
		{"1.1 200 OK\r\nContent-Length: 3\r\nContent-Length: 3", framing{counted: true}, false},
		{"1.1 200 OK\r\nTransfer-Encoding: Chunked", framing{chunked: true}, false},
		{"1.1 200 OK\r\nTransfer-Encoding: chunked\r\nContent-Length: 3", framing{chunked: true}, true},
		{"1.1 200 OK\r\nServer: x", framing{untilEnd: true}, true},
		{"1.1 200 OK\r\nConnection: keep-alive, Close\r\nContent-Length: 3", framing{counted: true}, true},
		{"1.0 200 OK\r\nContent-Length: 3", framing{counted: true}, true},
		{"1.0 200 OK\r\nContent-Length: 3\r\nConnection: keep-alive", framing{counted: true}, false},
		{"1.0 200 OK\r\nTransfer-Encoding: chunked\r\nConnection: keep-alive\r\nContent-Length: 3", framing{counted: true}, true},
		{"1.1 204 No Content\r\nContent-Length: 3", framing{}, false},
		{"1.1 304 Not Modified\r\nTransfer-Encoding: chunked", framing{}, false},
		{"1.1 100 Continue\r\nA: b", framing{}, false},
	} {
		r, f, err := parse(t, "HTTP/"+test.head+"\r\n\r\n")
		if err != nil || f != test.want || r.Close != test.close {
			t.Errorf("%q: framed %+v, closed %t, error %v", test.head, f, r.Close, err)
		}
	}
}

// rejected are heads that may mean one thing to one reader, and another to the next.
var rejected = []string{
	"HTTP/1.1", "HTTP/1.1  ", "HTTP/1.1 20 OK\r\nA: b", "HTTP/1.1 +20 OK\r\nA: b", "HTTP/1.1 2000 OK\r\nA: b", "HTTP/1.1 099 OK\r\nA: b",
	"HTTP/2.0 200 OK\r\nA: b", "HTTP/1.2 200 OK\r\nA: b", "HTTP/0.9 200 OK\r\nA: b", "http/1.1 200 OK\r\nA: b", "HTTP/1.1\t200 OK\r\nA: b",
	"HTTP/1.1 200 OK\r\n A: b", "HTTP/1.1 200 OK\r\nA: b\r\n c", "HTTP/1.1 200 OK\r\nA: b\r\n\tc: d", "HTTP/1.1 200 OK\r\nA : b",
	"HTTP/1.1 200 OK\r\n: b", "HTTP/1.1 200 OK\r\nA", "HTTP/1.1 200 OK\r\nA\x00: b", "HTTP/1.1 200 OK\r\nA: b\x00", "HTTP/1.1 200 OK\r\nA: b\rC: d", "HTTP/1.1 200 OK\r\nÄ: b",
	"HTTP/1.1 200 OK\r\nContent-Length: 3\r\nContent-Length: 4", "HTTP/1.1 200 OK\r\nContent-Length: -3", "HTTP/1.1 200 OK\r\nContent-Length: +3",
	"HTTP/1.1 200 OK\r\nContent-Length: 3, 3", "HTTP/1.1 200 OK\r\nContent-Length:", "HTTP/1.1 200 OK\r\nContent-Length: 0x3", "HTTP/1.1 200 OK\r\nContent-Length: 99999999999999999999",
	"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip", "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: chunked",
	"HTTP/1.1 200 OK\r\nTransfer-Encoding:", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nContent-Length: x", "HTTP/1.1 200 OK\r\nTransfer-Encoding: \x0bchunked",
}

func TestDoubtfulHeadsAreRejected(t *testing.T) {
	for _, head := range append(slices.Clone(rejected), "HTTP/1.1 200 OK\r\n"+strings.Repeat("A: b\r\n", maxFields)+"A: b") {
		if r, f, err := parse(t, head+"\r\n\r\n"); err == nil {
			t.Errorf("%.60q is taken: %+v, framed %+v", head, r, f)
		}
	}
}

func TestEndOfHead(t *testing.T) {
	for text, want := range map[string]int{"a\r\n\r\nb": 5, "a\n\nb": 3, "a\n\r\nb": 4, "a\r\n\r": 0, "a\r\nb\r\n": 0, "": 0} {
		for seen := 0; seen <= len(text) && (want == 0 || seen < want); seen++ {
			if got := endOfHead([]byte(text), seen); got != want {
				t.Errorf("%q after %d: %d", text, seen, got)
			}
		}
	}
}

// FuzzAgainstNetHTTP holds the reading of whole answers against net/http's: what is
// taken is understood alike, and nothing is refused that it takes, but on purpose.
func FuzzAgainstNetHTTP(f *testing.F) {
	for _, head := range rejected {
		f.Add([]byte(head+"\r\n\r\nabc"), byte(0))
	}
	for _, text := range []string{
		"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nabcHTTP/1.1 200 OK\r\n\r\n", "HTTP/1.1 200 OK\nContent-Length: 3\n\nabc", "HTTP/1.0 200 \r\n\r\nabc",
		"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3;x=y\r\nabc\r\n0\r\nA: b\r\n\r\nrest", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\nabc\r\n0\r\n\r\n",
		"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n 3\r\nabc\r\n0\r\n\r\n", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3 \r\nabc\r\n00\r\n\r\n",
		"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabcd\r\n0\r\n\r\n", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n",
		"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: A\r\n\r\n1\r\na\r\n2\r\nbc\r\n0\r\nA: b\r\nbad\r\n\r\n", "HTTP/1.1 204 OK\r\nContent-Length: 3\r\n\r\nabc",
		"HTTP/1.1 200 OK\r\nConnection: close\r\nPragma: no-cache\r\nSet-Cookie: a\r\nset-cookie: b\r\n\r\nabc", "HTTP/1.1 103 Early\r\nLink: x\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\na",
	} {
		f.Add([]byte(text), byte(0))
		f.Add([]byte(text), byte(1))
	}
	f.Fuzz(func(t *testing.T, text []byte, piece byte) {
		ours, ourBody, ourErr := readPieces(text, int(piece))
		theirs, theirErr := http.ReadResponse(bufio.NewReader(bytes.NewReader(text)), nil)
		if ourErr != nil {
			if theirErr == nil && !onPurpose(text, theirs) {
				t.Fatalf("%q is refused: %v", text, ourErr)
			}
			return
		}
		if ours.Header["Trailer"] != nil {
			return // which is of no use here, and is checked there
		}
		if theirErr != nil {
			t.Fatalf("%q is taken, in spite of: %v", text, theirErr)
		}
		delete(theirs.Header, "Cache-Control") // which it makes of Pragma
		delete(ours.Header, "Cache-Control")
		if ours.StatusCode != theirs.StatusCode || ours.Status != theirs.Status || ours.Proto != theirs.Proto || !reflect.DeepEqual(ours.Header, theirs.Header) {
			t.Fatalf("%q is %+v here, %+v there", text, ours, theirs)
		}
		if theirs.Close && !ours.Close {
			t.Fatalf("%q keeps the connection", text)
		}
		if ours.StatusCode >= 200 && ours.ContentLength != theirs.ContentLength {
			t.Fatalf("%q has the length %d here, %d there", text, ours.ContentLength, theirs.ContentLength)
		}
		compareBodies(t, text, ourBody, theirs, piece)
	})
}

// onPurpose tells what net/http takes, and this package does not.
func onPurpose(text []byte, theirs *http.Response) bool {
	head := text
	if end := endOfHead(text, 0); end > 0 {
		head = text[:end]
	}
	folded := bytes.Contains(head, []byte("\n ")) || bytes.Contains(head, []byte("\n\t"))
	spaced := false
	for name := range theirs.Header {
		spaced = spaced || strings.Contains(name, " ")
	}
	return folded || spaced || endOfHead(text, 0) == 0 || theirs.Proto != "HTTP/1.1" && theirs.Proto != "HTTP/1.0" ||
		theirs.StatusCode < 100 || strings.HasPrefix(theirs.Status, "+")
}
