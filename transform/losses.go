package transform

import (
	"slices"
	"strconv"
	"strings"
)

// Path is a place in a client's request. It is a value that points to its
// parent, so that walking a request costs nothing unless something is lost.
type Path struct {
	parent *Path
	name   string
	index  int // of an element, where name is empty
}

// Key is the member called name of the place.
func (p *Path) Key(name string) Path { return Path{parent: p, name: name} }

// Index is element i of the place.
func (p *Path) Index(i int) Path { return Path{parent: p, index: i} }

// Pointer writes the place as a JSON pointer. The root is "".
func (p *Path) Pointer() string {
	if p == nil || p.parent == nil && p.name == "" {
		return ""
	}
	token := p.name
	if token == "" {
		token = strconv.Itoa(p.index)
	} else {
		token = strings.ReplaceAll(strings.ReplaceAll(token, "~", "~0"), "/", "~1")
	}
	return p.parent.Pointer() + "/" + token
}

// Losses is the report of what a translation could not carry. Its zero value
// is ready.
type Losses struct {
	// Dropped are the JSON pointers of what was left out, in the order in
	// which it was found.
	Dropped []string
	// Refused are those of Dropped without which the answer would not be
	// what was asked for: media, tools, tool choice, schemas, several answers.
	Refused []string
}

// maxLosses bounds the report: a hostile request may have a million unknown members.
const maxLosses = 64

// Drop reports that something advisory was left out. What has no place was not
// said by the client, and is not lost.
func (l *Losses) Drop(at Path) {
	if at != (Path{}) {
		l.add(&l.Dropped, at.Pointer())
	}
}

// Refuse reports that something essential cannot be carried.
func (l *Losses) Refuse(at Path) {
	pointer := at.Pointer()
	l.add(&l.Dropped, pointer)
	l.add(&l.Refused, pointer)
}

func (l *Losses) add(list *[]string, pointer string) {
	if len(*list) < maxLosses && !slices.Contains(*list, pointer) {
		*list = append(*list, pointer)
	}
}
