package sdk_test

import (
	"fmt"
	"net/http"
	"strings"
)

// asked is a request as the stand-in read it, whatever its format.
type asked struct {
	model    string
	scenario string // what the model's name wants
	ticket   string // by which the client tells that it heard something
	stream   bool

	system    string
	turns     []turn
	tools     []tool
	choice    string // auto, none, required or the name of a tool; empty: not said
	schema    any    // that the answer has to fit
	thinks    bool
	maxTokens int

	// serial is part of the ids and signatures of a conversation: no two share any.
	serial int
	faults []string
}

// turn is all that one side said until the other spoke.
type turn struct {
	user  bool
	parts []part
}

// part is a piece of a turn or of an answer.
type part struct {
	kind     string // text, plan, image, reasoning, redacted, call or result
	text     string // of images: their base64
	id, name string // of calls and results
	args     any
	sig      string // of reasoning and calls
}

type tool struct {
	name, description string
	schema            any
}

func (a *asked) fault(format string, args ...any) {
	a.faults = append(a.faults, fmt.Sprintf(format, args...))
}

// say adds a part to the turn of one side.
func (a *asked) say(user bool, p part) {
	if last := len(a.turns) - 1; last < 0 || a.turns[last].user != user {
		a.turns = append(a.turns, turn{user: user})
	}
	last := &a.turns[len(a.turns)-1]
	last.parts = append(last.parts, p)
}

// nameOf is the name of the tool that a call with this id was for.
func (a *asked) nameOf(id string) string {
	for _, t := range a.turns {
		for _, p := range t.parts {
			if p.kind == "call" && p.id == id {
				return p.name
			}
		}
	}
	return ""
}

// open are the calls of the latest answer that have no result yet.
func (a *asked) open() (ids []string) {
	done := make(map[string]bool)
	for i := len(a.turns) - 1; i >= 0; i-- {
		for _, p := range a.turns[i].parts {
			switch p.kind {
			case "result":
				done[p.id] = true
			case "call":
				if !done[p.id] {
					ids = append(ids, p.id)
				}
			}
		}
		if !a.turns[i].user {
			break
		}
	}
	return ids
}

// result adds the result of a call by its id.
func (a *asked) result(id, text string) {
	name := a.nameOf(id)
	if name == "" {
		a.fault("a tool result is for %q, which nobody called", id)
	}
	a.say(true, part{kind: "result", id: id, name: name, text: text})
}

// image adds an image that came as a data URL.
func (a *asked) image(url string) {
	data, ok := strings.CutPrefix(url, "data:image/png;base64,")
	if !ok {
		a.fault("an image is no data URL of a PNG but %.40q", url)
	}
	a.say(true, part{kind: "image", text: data})
}

// only complains of members that an API does not have.
func (a *asked) only(body node, known string) {
	for _, name := range body.names() {
		if !strings.Contains(" "+known+" ", " "+name+" ") {
			a.fault("unknown member %q", name)
		}
	}
}

// dialect is a provider's format, both ways.
type dialect interface {
	// read understands a request.
	read(a *asked, r *http.Request, body node)
	// answer is the body of an answer.
	answer(rp *reply) any
	// events are those of a stream.
	events(rp *reply) []event
	// failure is the status, the header and the body of an error.
	failure(f failure) (int, http.Header, any)
	// late is the event of an error after n other events.
	late(message string, n int) event
	// idPrefix begins the ids of calls; empty: calls have none.
	idPrefix() string
}

// reply is an answer in no format.
type reply struct {
	id    string // no two answers have the same
	model string
	parts []part
	// chunks are the pieces of the parts' texts in streams, by the text.
	chunks map[string][]string
	stop   string // end, tools or length
	usage  counts
	// early tells that a stream fails before content, late that it does after
	// some, cut that it just ends there.
	early, late, cut bool
}

type counts struct {
	Input, Cached, Output, Reasoning int
}

// pieces are a part's text or arguments as a stream has them.
func (rp *reply) pieces(p part) []string {
	if p.kind == "call" {
		text := encode(p.args)
		return []string{text[:1], text[1:]}
	}
	if chunks := rp.chunks[p.text]; chunks != nil {
		return chunks
	}
	half := len(p.text) / 2
	return []string{p.text[:half], p.text[half:]}
}

func (rp *reply) text(kind string) string {
	var b strings.Builder
	for _, p := range rp.parts {
		if p.kind == kind {
			b.WriteString(p.text)
		}
	}
	return b.String()
}

func (rp *reply) calls() (calls []part) {
	for _, p := range rp.parts {
		if p.kind == "call" {
			calls = append(calls, p)
		}
	}
	return calls
}

// event is one of a stream. Of content a client can see something.
type event struct {
	name    string
	data    any
	content bool
}

type failure struct {
	status     int
	kind       string // invalid, rate_limit, overloaded, auth
	message    string
	retryAfter int
}

type (
	object = map[string]any
	array  = []any
)
