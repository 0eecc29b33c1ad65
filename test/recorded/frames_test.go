package recorded_test

import (
	"bytes"
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"strings"
)

// frame is one block of a stream of server-sent events.
type frame struct {
	event, data       string
	hasEvent, hasData bool
	comment           bool // nothing but comments
	lines             []string
}

var newlines = strings.NewReplacer("\r\n", "\n", "\r", "\n")

// frames splits a stream of server-sent events.
func frames(stream []byte) []frame {
	var list []frame
	text := newlines.Replace(strings.TrimPrefix(string(stream), "\ufeff"))
	for block := range strings.SplitSeq(text, "\n\n") {
		if strings.Trim(block, "\n") == "" {
			continue
		}
		f := frame{comment: true, lines: strings.Split(block, "\n")}
		var data []string
		for _, line := range f.lines {
			if line == "" || strings.HasPrefix(line, ":") {
				continue
			}
			f.comment = false
			field, value, _ := strings.Cut(line, ":")
			value = strings.TrimPrefix(value, " ")
			switch field {
			case "event":
				f.event, f.hasEvent = value, true
			case "data":
				data = append(data, value)
			}
		}
		f.data, f.hasData = strings.Join(data, "\n"), data != nil
		list = append(list, f)
	}
	return list
}

// datas are the JSON values of a stream's events; its end mark and comments are
// none. err is of the first that is no JSON.
func datas(stream []byte) (list []node, err error) {
	for _, f := range frames(stream) {
		if !f.hasData || f.data == "[DONE]" {
			continue
		}
		n, err := parse([]byte(f.data))
		if err != nil {
			return list, fmt.Errorf("data is no JSON: %.80s", f.data)
		}
		list = append(list, n)
	}
	return list, nil
}

// withoutComments is a stream without its comments and blank lines beyond one.
func withoutComments(stream []byte) string {
	var out []string
	text := string(stream)
	eol := "\n"
	if strings.Contains(text, "\r\n") {
		eol = "\r\n"
	}
	for line := range strings.SplitSeq(text, eol) {
		if strings.HasPrefix(line, ":") || line == "" && (len(out) == 0 || out[len(out)-1] == "") {
			continue
		}
		out = append(out, line)
	}
	return strings.Join(out, eol)
}

// message is one of an Amazon event stream.
type message struct {
	headers map[string]string
	payload []byte
}

// messages splits an Amazon event stream: per message the lengths of all and of
// the headers, their checksum, headers, payload, checksum.
func messages(stream []byte) (list []message, err error) {
	for len(stream) > 0 {
		if len(stream) < 16 {
			return list, fmt.Errorf("%d bytes too many", len(stream))
		}
		total, head := int(binary.BigEndian.Uint32(stream)), int(binary.BigEndian.Uint32(stream[4:]))
		if total > len(stream) || head > total-16 {
			return list, fmt.Errorf("a message of %d bytes, of which %d are here", total, len(stream))
		}
		m := message{headers: map[string]string{}, payload: stream[12+head : total-4]}
		for h := stream[12 : 12+head]; len(h) > 0; {
			name := string(h[1 : 1+h[0]])
			h = h[1+len(name):]
			if h[0] != 7 { // a string; the recordings have no others
				return list, fmt.Errorf("header %s of type %d", name, h[0])
			}
			size := int(binary.BigEndian.Uint16(h[1:]))
			m.headers[name] = string(h[3 : 3+size])
			h = h[3+size:]
		}
		list = append(list, m)
		stream = stream[total:]
	}
	return list, nil
}

// chunks are the events inside an Amazon event stream of another format's.
func chunks(stream []byte) (list []node, err error) {
	all, err := messages(stream)
	if err != nil {
		return nil, err
	}
	for _, m := range all {
		n, err := parse(m.payload)
		if err != nil {
			return list, err
		}
		text, err := base64.StdEncoding.DecodeString(n.get("bytes").text())
		if err != nil {
			return list, err
		}
		if n, err = parse(text); err != nil {
			return list, err
		}
		list = append(list, n)
	}
	return list, nil
}

// jsonLines are the values of a stream with one on each line.
func jsonLines(stream []byte) (list []node, err error) {
	for line := range bytes.Lines(stream) {
		if len(bytes.TrimSpace(line)) == 0 {
			continue
		}
		n, err := parse(line)
		if err != nil {
			return list, err
		}
		list = append(list, n)
	}
	return list, nil
}
