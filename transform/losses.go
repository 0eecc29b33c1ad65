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
	index  int // of an element; aKey for a member, whose name may be empty
}

const aKey = -1

// Key is the member called name of the place.
func (p *Path) Key(name string) Path { return Path{parent: p, name: name, index: aKey} }

// Index is element i of the place.
func (p *Path) Index(i int) Path { return Path{parent: p, index: i} }

// Pointer writes the place as a JSON pointer. The root is "".
func (p *Path) Pointer() string {
	if p == nil || *p == (Path{}) {
		return ""
	}
	token := strings.ReplaceAll(strings.ReplaceAll(p.name, "~", "~0"), "/", "~1")
	if p.index != aKey {
		token = strconv.Itoa(p.index)
	}
	return p.parent.Pointer() + "/" + token
}

// Field spells the place as OpenAI and Google do: messages[0].content[1].type.
func (p *Path) Field() string {
	var out strings.Builder
	for token := range strings.SplitSeq(strings.TrimPrefix(p.Pointer(), "/"), "/") {
		switch {
		case token != "" && strings.Trim(token, "0123456789") == "":
			out.WriteString("[" + token + "]")
		case out.Len() > 0:
			out.WriteString("." + token)
		default:
			out.WriteString(token)
		}
	}
	return out.String()
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

// DropName reports that a turn's speaker was left out.
func (l *Losses) DropName(t *Turn) {
	if t.Name != "" {
		l.Drop(t.At.Key("name"))
	}
}

// DropMark reports that a cache mark, if there is one, was left out.
func (l *Losses) DropMark(m *CacheMark) {
	if m != nil {
		l.Drop(m.At)
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
