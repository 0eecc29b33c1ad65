package http1

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptrace"
	"net/textproto"
	"strings"
)

// answer is all that is made for one answer.
type answer struct {
	http.Response
	reader body
}

// maxInterim is how many answers may announce another.
const maxInterim = 16

var (
	errHeadTooLarge = errors.New("the answer's header is too large")
	errNoHTTP       = errors.New("the host does not answer in HTTP/1")
	errSwitched     = errors.New("the host switched protocols unasked")
	errInterim      = errors.New("the host announces its answer over and over")
	errCutHead      = fmt.Errorf("the connection ended before the answer's header: %w", io.ErrUnexpectedEOF)
)

// readAnswer reads the head of the answer, past those that only announce it.
func (c *conn) readAnswer(r *http.Request, trace *httptrace.ClientTrace) (*http.Response, error) {
	left := c.limit
	for range maxInterim {
		head, err := c.readHead(left, trace)
		if err != nil {
			return nil, err
		}
		left -= len(head)
		a := &answer{Response: http.Response{Request: r}}
		framing, err := parseHead(head, &a.Response)
		c.r += len(head)
		switch {
		case err != nil:
			return nil, err
		case a.StatusCode == http.StatusSwitchingProtocols:
			return nil, errSwitched
		case a.StatusCode < 200:
			if trace != nil && trace.Got1xxResponse != nil {
				if err := trace.Got1xxResponse(a.StatusCode, textproto.MIMEHeader(a.Header)); err != nil {
					return nil, err
				}
			}
			continue
		}
		c.spent = c.spent || a.Close
		c.begin(a, framing)
		return &a.Response, nil
	}
	return nil, errInterim
}

// begin gives the answer its body.
func (c *conn) begin(a *answer, f framing) {
	if f == (framing{}) {
		a.Body = http.NoBody
		c.release(true)
		return
	}
	a.reader = body{conn: c, ctx: c.ctx, framing: f, left: max(a.ContentLength, 0)}
	a.Body = &a.reader
}

// readHead receives a whole header. It stays in the buffer, and in place.
func (c *conn) readHead(limit int, trace *httptrace.ClientTrace) ([]byte, error) {
	seen := 0
	for {
		received := c.buf[c.r:c.w]
		if end := endOfHead(received, seen); end > 0 {
			if end > limit {
				return nil, errHeadTooLarge
			}
			return received[:end], nil
		}
		if seen = len(received); seen >= limit {
			return nil, errHeadTooLarge
		}
		if err := c.beginsHTTP(received); err != nil {
			return nil, err
		}
		if seen > 0 && c.r == 0 && seen == len(c.buf) {
			c.buf = append(make([]byte, 0, 4*seen), received...)
			c.buf = c.buf[:cap(c.buf)]
		}
		if err := c.fill(); errors.Is(err, io.EOF) {
			return nil, errCutHead
		} else if err != nil {
			return nil, err
		}
		if seen == 0 && trace != nil && trace.GotFirstResponseByte != nil {
			trace.GotFirstResponseByte()
		}
	}
}

// endOfHead is the length of the header with its empty line, 0 if it is not whole.
// The first so many bytes have been looked at before.
func endOfHead(b []byte, seen int) int {
	for i := max(seen-3, 0); ; {
		n := bytes.IndexByte(b[i:], '\n')
		if n < 0 {
			return 0
		}
		i += n + 1
		switch {
		case i < len(b) && b[i] == '\n':
			return i + 1
		case i+1 < len(b) && b[i] == '\r' && b[i+1] == '\n':
			return i + 2
		}
	}
}

// beginsHTTP spares waiting for the rest of what is no answer.
func (c *conn) beginsHTTP(b []byte) error {
	const begin = "HTTP/1."
	if n := min(len(b), len(begin)); string(b[:n]) == begin[:n] {
		return nil
	}
	// A frame of HTTP/2: SETTINGS, of stream 0.
	if c.secure != nil && len(b) >= 4 && b[0] == 0 && b[3] == 4 {
		return errOtherwise
	}
	return errNoHTTP
}

// framing is how the end of a body is known; none: there is no body.
type framing struct{ counted, chunked, untilEnd bool }

// parseHead reads a header, which it puts into canonical form in place. It takes
// what net/http takes, but for what no known server sends and parsers differ on:
// folded lines, names with spaces, and versions that are not 1.0 or 1.1.
func parseHead(head []byte, r *http.Response) (framing, error) {
	lines, err := canonicalize(head)
	if err != nil {
		return framing{}, err
	}
	text := string(head) // of which all names and values are parts
	line, text, _ := strings.Cut(text, "\n")
	if err := parseStatus(strings.TrimSuffix(line, "\r"), r); err != nil {
		return framing{}, err
	}
	r.Header = make(http.Header, lines)
	values := make([]string, lines)
	for range lines {
		line, text, _ = strings.Cut(text, "\n")
		name, value, _ := strings.Cut(strings.TrimSuffix(line, "\r"), ":")
		value = trim(value)
		if before := r.Header[name]; before != nil {
			r.Header[name] = append(before, value)
			continue
		}
		values[0] = value
		r.Header[name] = values[:1:1]
		values = values[1:]
	}
	return frame(r)
}

const maxFields = 1000

var (
	errStatusLine  = errors.New("the answer's status line is malformed")
	errHeaderLine  = errors.New("the answer's header has a malformed line")
	errFolded      = errors.New("the answer's header has a folded line")
	errFields      = errors.New("the answer's header has too many fields")
	errFieldLength = errors.New("the answer says more than one length")
	errLengthValue = errors.New("the answer's length is malformed")
	errTransfer    = errors.New("the answer has an unknown transfer encoding")
)

// canonicalize checks the lines after the first, and writes their names as net/http
// does. It returns how many there are.
func canonicalize(head []byte) (lines int, err error) {
	rest := head[bytes.IndexByte(head, '\n')+1:]
	for {
		end := bytes.IndexByte(rest, '\n')
		if end < 0 {
			return 0, errHeaderLine
		}
		line := bytes.TrimSuffix(rest[:end], []byte{'\r'})
		rest = rest[end+1:]
		if len(line) == 0 {
			return lines, nil
		}
		if line[0] == ' ' || line[0] == '\t' {
			return 0, errFolded
		}
		if lines++; lines > maxFields {
			return 0, errFields
		}
		if !canonicalLine(line) {
			return 0, errHeaderLine
		}
	}
}

func canonicalLine(line []byte) bool {
	upper := true
	for i, c := range line {
		if c == ':' {
			return i > 0 && validValue(line[i+1:])
		}
		if !isToken[c] {
			return false
		}
		if upper && 'a' <= c && c <= 'z' {
			line[i] = c - ('a' - 'A')
		} else if !upper && 'A' <= c && c <= 'Z' {
			line[i] = c + ('a' - 'A')
		}
		upper = c == '-'
	}
	return false
}

func validValue(value []byte) bool {
	for _, c := range value {
		if c < ' ' && c != '\t' || c == 0x7f {
			return false
		}
	}
	return true
}

// isToken are the characters of names (RFC 9110, 5.6.2).
var isToken = func() (is [256]bool) {
	for c := range is {
		letter := 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9'
		is[c] = letter || strings.ContainsRune("!#$%&'*+-.^_`|~", rune(c))
	}
	return is
}()

// trim cuts off blanks.
func trim(s string) string {
	for s != "" && (s[0] == ' ' || s[0] == '\t') {
		s = s[1:]
	}
	for s != "" && (s[len(s)-1] == ' ' || s[len(s)-1] == '\t') {
		s = s[:len(s)-1]
	}
	return s
}

// parseStatus reads a line such as "HTTP/1.1 200 OK".
func parseStatus(line string, r *http.Response) error {
	version, status, ok := strings.Cut(line, " ")
	if !ok || version != "HTTP/1.1" && version != "HTTP/1.0" {
		return errStatusLine
	}
	status = strings.TrimLeft(status, " ")
	code, _, _ := strings.Cut(status, " ")
	if len(code) != 3 || code[0] < '1' || code[0] > '9' || !isDigit(code[1]) || !isDigit(code[2]) {
		return errStatusLine
	}
	r.Proto, r.ProtoMajor, r.ProtoMinor = version, 1, int(version[7]-'0')
	r.Status = status
	r.StatusCode = int(code[0]-'0')*100 + int(code[1]-'0')*10 + int(code[2]-'0')
	return nil
}

func isDigit(c byte) bool { return '0' <= c && c <= '9' }
