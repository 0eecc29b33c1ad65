package sse

import "bytes"

// AppendData appends an event of that data: "data: …\n\n". Data with line ends, whichever kind, takes
// several data lines.
func AppendData(dst []byte, data []byte) []byte {
	dst = appendField(dst, "data: ", data)
	return append(dst, '\n')
}

// AppendEvent appends a named event: "event: name\ndata: …\n\n". A name ends at its first line end.
func AppendEvent(dst []byte, name string, data []byte) []byte {
	for i := range len(name) {
		if name[i] == '\n' || name[i] == '\r' {
			name = name[:i]
			break
		}
	}
	dst = append(dst, "event: "...)
	dst = append(dst, name...)
	dst = append(dst, '\n')
	return AppendData(dst, data)
}

// AppendComment appends a comment as a block of its own: ": text\n\n".
func AppendComment(dst []byte, text string) []byte {
	dst = appendField(dst, ": ", []byte(text))
	return append(dst, '\n')
}

// appendField appends one line for each line of value, so that no value can forge another field.
func appendField(dst []byte, label string, value []byte) []byte {
	if bytes.IndexByte(value, '\n') >= 0 || bytes.IndexByte(value, '\r') >= 0 {
		var scan lines
		for from, to, ok := scan.next(value); ok; from, to, ok = scan.next(value) {
			dst = appendLine(dst, label, value[from:to])
		}
		value = value[scan.at:]
	}
	return appendLine(dst, label, value)
}

func appendLine(dst []byte, label string, line []byte) []byte {
	dst = append(dst, label...)
	dst = append(dst, line...)
	return append(dst, '\n')
}
