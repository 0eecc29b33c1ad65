package sse

import "bytes"

// lines finds the lines of a text that may still grow. A line ends with LF, CR or CRLF.
// Each byte is looked at once for either end, however often and in whatever pieces the text grows.
type lines struct {
	at      int  // where the current line begins
	lf, cr  int  // no LF in text[at:lf], no CR in text[at:cr]
	afterCR bool // the last line ended with CR, an LF at at belongs to it
}

func linesFrom(at int) lines { return lines{at: at, lf: at, cr: at} }

// next returns where the next line begins and where its end stands, false if no line ends in text yet.
func (l *lines) next(text []byte) (from, to int, ok bool) {
	l.finishCRLF(text)
	l.lf = seek(text, max(l.lf, l.at), '\n')
	l.cr = seek(text, max(l.cr, l.at), '\r')
	from, to = l.at, min(l.lf, l.cr)
	if to == len(text) {
		return from, to, false
	}
	l.at = to + 1
	l.afterCR = to == l.cr
	l.finishCRLF(text)
	return from, to, true
}

// finishCRLF takes the LF that follows a CR as soon as it has arrived.
func (l *lines) finishCRLF(text []byte) {
	if l.afterCR && l.at < len(text) {
		l.afterCR = false
		if text[l.at] == '\n' {
			l.at++
		}
	}
}

// move follows the text when it is shifted to the left.
func (l *lines) move(by int) {
	l.at, l.lf, l.cr = l.at-by, max(l.lf, l.at)-by, max(l.cr, l.at)-by
}

// seek returns the offset of the first c at or after from, or len(text).
func seek(text []byte, from int, c byte) int {
	if from >= len(text) || text[from] == c {
		return from
	}
	if i := bytes.IndexByte(text[from:], c); i >= 0 {
		return from + i
	}
	return len(text)
}
