// Package excerpt keeps the beginning of a text for a log, without the media in it.
package excerpt

import (
	"bytes"
	"strconv"
	"unicode/utf8"
)

// leastMedia is the shortest run of base64 that is taken for media wherever it
// stands: no word is so long.
const leastMedia = 256

// dataURL is what stands before the media of a data URL, however short.
const dataURL = ";base64,"

// Excerpt is the beginning of a text that is written to it in pieces. Media in
// base64 are replaced by their size before anything is cut off. The zero Excerpt
// keeps nothing.
type Excerpt struct {
	most int
	kept []byte
	size int64
	// run is how long the base64 is in which the text is at present, and padding
	// how much of that says nothing. No more than leastMedia of it is kept.
	run, padding int
	// escape tells that the last piece ended in a backslash, in base64.
	escape bool
	full   bool
}

// New makes an excerpt of so many bytes at most, and a few more.
func New(most int) Excerpt { return Excerpt{most: most} }

// Write takes the next piece. It never fails.
func (e *Excerpt) Write(p []byte) (int, error) {
	e.size += int64(len(p))
	at := 0
	if e.escape && len(p) > 0 {
		if e.escape = false; p[0] == '/' {
			e.media([]byte(`\/`))
			at = 1
		} else {
			e.other('\\')
		}
	}
	for at < len(p) && !e.full {
		switch end := base64End(p, at); {
		case end > at:
			e.media(p[at:end])
			at = end
		case p[at] == '\\' && e.run > 0 && at == len(p)-1:
			e.escape = true
			at++
		default:
			e.other(p[at])
			at++
		}
	}
	return len(p), nil
}

// other takes a byte that is no base64.
func (e *Excerpt) other(b byte) {
	e.endRun()
	if e.full = e.full || len(e.kept) >= e.most; !e.full {
		e.kept = append(e.kept, b)
	}
}

// media takes a piece of what may be media.
func (e *Excerpt) media(p []byte) {
	if e.run < leastMedia {
		e.kept = append(e.kept, p[:min(len(p), leastMedia-e.run)]...)
	}
	e.run += len(p)
	e.padding += bytes.Count(p, []byte{'='}) + bytes.Count(p, []byte{'\\'})
}

// endRun puts the size of media in their place.
func (e *Excerpt) endRun() {
	if e.run == 0 {
		return
	}
	before := e.kept[:len(e.kept)-min(e.run, leastMedia)]
	if e.run >= leastMedia || bytes.HasSuffix(before, []byte(dataURL)) {
		e.kept = strconv.AppendInt(append(before, "[base64, "...), int64(e.run-e.padding)*3/4, 10)
		e.kept = append(e.kept, " bytes]"...)
	}
	e.run, e.padding = 0, 0
}

// Text is what is kept, to the end of its last whole character, or false if that
// is no text.
func (e *Excerpt) Text() (string, bool) {
	if e.endRun(); e.escape {
		e.escape = false
		e.other('\\')
	}
	text := e.kept
	if e.full {
		for i := 1; i < utf8.UTFMax && len(text) > 0 && !utf8.Valid(text[max(0, len(text)-utf8.UTFMax):]); i++ {
			text = text[:len(text)-1]
		}
	}
	return string(text), utf8.Valid(text)
}

// Size is how long the text was, and Full tells whether some of it is missing,
// apart from media.
func (e *Excerpt) Size() int64 { return e.size }

// Full tells whether some of the text is missing, apart from media.
func (e *Excerpt) Full() bool { return e.full }

// wrapped is the shortest line of base64 that is broken into lines.
const wrapped = 60

// base64End is where base64 ends that begins at the place. A slash may be escaped,
// as some write it in JSON, and so are the ends of long lines.
func base64End(p []byte, at int) int {
	begin := at
	for at < len(p) {
		switch {
		case letters[p[at]]:
			at++
		case at-begin >= wrapped && p[at] == '\\' && at+1 < len(p) && (p[at+1] == 'n' || p[at+1] == 'r'):
			if at += 2; at < len(p) && letters[p[at]] {
				begin = at
			}
		case p[at] == '\\' && at+1 < len(p) && p[at+1] == '/':
			at += 2
		default:
			return at
		}
	}
	return at
}

// letters are those of base64, with either last two, and its padding.
var letters = func() (is [256]bool) {
	for _, b := range []byte("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/-_=") {
		is[b] = true
	}
	return is
}()
