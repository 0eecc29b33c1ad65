package recorded_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
)

// node is a JSON value that may be absent. Numbers keep their spelling.
type node struct{ v any }

// parse reads exactly one JSON value.
func parse(text []byte) (node, error) {
	d := json.NewDecoder(bytes.NewReader(text))
	d.UseNumber()
	var v any
	if err := d.Decode(&v); err != nil {
		return node{}, err
	}
	if _, err := d.Token(); err != io.EOF {
		return node{}, fmt.Errorf("data after the JSON value")
	}
	return node{v}, nil
}

// get follows names and indices.
func (n node) get(path ...any) node {
	for _, step := range path {
		switch step := step.(type) {
		case string:
			m, _ := n.v.(map[string]any)
			n = node{m[step]}
		case int:
			l, _ := n.v.([]any)
			if step >= len(l) {
				return node{}
			}
			n = node{l[step]}
		}
	}
	return n
}

// has tells whether an object has a member, be it null.
func (n node) has(name string) bool {
	m, _ := n.v.(map[string]any)
	_, ok := m[name]
	return ok
}

// given tells whether there is a value other than null.
func (n node) given() bool { return n.v != nil }

func (n node) text() string {
	s, _ := n.v.(string)
	return s
}

func (n node) isText() bool {
	_, ok := n.v.(string)
	return ok
}

func (n node) isObject() bool {
	_, ok := n.v.(map[string]any)
	return ok
}

func (n node) isList() bool {
	_, ok := n.v.([]any)
	return ok
}

func (n node) list() []node {
	l, _ := n.v.([]any)
	out := make([]node, len(l))
	for i := range l {
		out[i] = node{l[i]}
	}
	return out
}

// size is the number of an object's members.
func (n node) size() int {
	m, _ := n.v.(map[string]any)
	return len(m)
}

// integer is a whole number, false if there is none.
func (n node) integer() (int64, bool) {
	number, ok := n.v.(json.Number)
	if !ok {
		return 0, false
	}
	i, err := number.Int64()
	if err != nil {
		f, _ := number.Float64()
		return int64(f), float64(int64(f)) == f
	}
	return i, true
}

func (n node) isInteger() bool {
	_, ok := n.integer()
	return ok
}

// count is a whole number, 0 if there is none.
func (n node) count() int64 {
	i, _ := n.integer()
	return i
}

// first is the first of some members that is given.
func (n node) first(names ...string) node {
	for _, name := range names {
		if m := n.get(name); m.given() {
			return m
		}
	}
	return node{}
}

func (n node) String() string {
	text, _ := json.Marshal(n.v)
	return string(text)
}
