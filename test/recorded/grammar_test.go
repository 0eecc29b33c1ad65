package recorded_test

import (
	"fmt"
	"slices"
)

// grammar collects what is wrong with an answer's form, that is what a typed
// client of its format could stumble over.
type grammar struct{ wrong []string }

func (g *grammar) need(ok bool, format string, args ...any) {
	if message := fmt.Sprintf(format, args...); !ok && !slices.Contains(g.wrong, message) {
		g.wrong = append(g.wrong, message)
	}
}

// members needs an object's members to be there, be they null.
func (g *grammar) members(n node, where string, names ...string) {
	for _, name := range names {
		g.need(n.has(name), "%s lacks %s", where, name)
	}
}

// sum needs counts that add up.
func (g *grammar) sum(u node, input, output, total string) {
	if !u.get(input).isInteger() || !u.get(output).isInteger() || !u.get(total).isInteger() {
		g.need(false, "usage lacks %s, %s or %s", input, output, total)
		return
	}
	g.need(u.get(input).count()+u.get(output).count() == u.get(total).count(), "usage does not add up: %s", u)
}

// events are the stream's events, of which all must be JSON.
func (g *grammar) events(list []frame) (events []node) {
	for _, f := range list {
		n, err := parse([]byte(f.data))
		g.need(err == nil, "data is no JSON: %.80s", f.data)
		events = append(events, n)
	}
	return events
}

// withoutCommentFrames is a stream's frames that are not only comments.
func withoutCommentFrames(stream []byte) []frame {
	return slices.DeleteFunc(frames(stream), func(f frame) bool { return f.comment })
}

// grammars check streams, shapes whole answers.
var (
	grammars = map[string]func([]byte) []string{
		"chat": chatGrammar, "responses": responsesGrammar, "messages": messagesGrammar, "gemini": geminiGrammar,
	}
	shapes = map[string]func(node) []string{
		"chat": chatShape, "responses": responsesShape, "messages": messagesShape, "gemini": geminiShape,
	}
)
