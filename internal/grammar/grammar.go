// Package grammar tells whether streams and answers are what typed clients of
// an API format take for granted. Only tests use it: of the encoders, which may
// write nothing else whatever they are given.
//
// A stream's function returns whether the stream ended with an error, and what
// is wrong with it. An error may end a stream anywhere, and nothing follows it.
package grammar

import (
	"bytes"
	"fmt"

	"github.com/caddyllm/llmproxy/internal/jsonbytes"
)

// fault keeps the first thing that is wrong.
type fault struct{ err error }

// need reports what is wrong unless ok, and where.
func (f *fault) need(ok bool, wrong string, where []byte) bool {
	if !ok && f.err == nil {
		f.err = fmt.Errorf("%s: %.500s", wrong, where)
	}
	return ok
}

// has needs members of an object to be there, be they null.
func (f *fault) has(v jsonbytes.Value, names ...string) {
	for _, name := range names {
		f.need(v.Get(name) != nil, "no "+name, v)
	}
}

// counts needs members to be numbers that are not negative, and returns their sum.
func (f *fault) counts(v jsonbytes.Value, names ...string) (sum int64) {
	for _, name := range names {
		n, ok := v.Get(name).Int()
		f.need(ok && n >= 0, "no "+name, v)
		sum += n
	}
	return sum
}

// event is one of a stream.
type event struct {
	name string
	data jsonbytes.Value
}

// events cuts a stream of server-sent events, of which each has its name on
// one line, if it has one, and its data on the next. Comments are left out.
func (f *fault) events(stream []byte, end string) []event {
	var list []event
	f.need(end == "\r\n\r\n" || !bytes.ContainsRune(stream, '\r'), "a carriage return", stream)
	for len(stream) > 0 {
		text, rest, ok := bytes.Cut(stream, []byte(end))
		if !f.need(ok, "the stream ends inside of an event", stream) {
			return list
		}
		stream = rest
		if bytes.HasPrefix(text, []byte(":")) && !bytes.ContainsRune(text, '\n') {
			continue
		}
		var e event
		if name, after, ok := bytes.Cut(text, []byte("\n")); ok {
			name, named := bytes.CutPrefix(name, []byte("event: "))
			f.need(named && len(name) > 0, "a line that is no event's name", text)
			e.name, text = string(name), after
		}
		data, ok := bytes.CutPrefix(text, []byte("data: "))
		f.need(ok && !bytes.ContainsAny(data, "\r\n"), "no event", text)
		e.data = jsonbytes.Value(data)
		if string(data) != "[DONE]" {
			f.object(e.data)
		}
		list = append(list, e)
	}
	return list
}

// object needs a text to be an object of which no object has a key twice.
func (f *fault) object(v jsonbytes.Value) bool {
	if err := jsonbytes.Check(v, 0); err != nil {
		return f.need(false, err.Error(), v)
	}
	if err := v.Unique(""); err != nil {
		return f.need(false, err.Error(), v)
	}
	return f.need(v.Kind() == jsonbytes.Object, "no object", v)
}

// text is what a string says; empty if it is none.
func text(v jsonbytes.Value) string {
	s, _ := v.Text()
	return s
}

func isText(v jsonbytes.Value) bool { return v.Kind() == jsonbytes.String }

// number is an integer; -1 if it is none.
func number(v jsonbytes.Value) int {
	n, ok := v.Int()
	if !ok {
		return -1
	}
	return int(n)
}

// pieces are string literals one after the other: a character may be cut in two.
type pieces []byte

func (p *pieces) add(literal jsonbytes.Value) {
	if isText(literal) {
		*p = append(*p, literal[1:len(literal)-1]...)
	}
}

// said is what the pieces say together.
func (p pieces) said() string { return text(jsonbytes.Value(`"` + string(p) + `"`)) }
