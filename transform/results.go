package transform

import (
	"bytes"
	"cmp"
	"slices"
)

// What stands in where a conversation lacks what every format demands.
var (
	// NoResult is what the model is told of a call that was never answered.
	NoResult = Quote("No result was given for this call.")
	// OrphanResult stands before a result that belongs to no call.
	OrphanResult = Quote("Result of a tool call that is not part of this conversation:")
)

// PairResults brings the results of tools behind the calls that they answer, as
// all providers demand. What is there twice goes, reported if it says something
// else than the first. A result without a call becomes the user's text, a call
// that the conversation went on without gets a result that says so. Calls at the
// very end are still open and stay. A conversation that is right stays as it is.
func (r *Request) PairResults(lost *Losses) {
	p := pairing{turns: r.Turns, byID: make(map[string]queue)}
	// What a provider keeps of the conversation may hold the calls.
	p.partial = r.Leftover("previous_response_id") != nil || r.Leftover("conversation") != nil || r.Leftover("prompt") != nil
	p.match(lost)
	p.missResults()
	if p.wrong {
		r.Turns = p.arranged()
	}
}

// pairing finds out which result answers which call.
type pairing struct {
	turns   []Turn
	partial bool // results may be of calls that are not shown
	wrong   bool // something must change

	steps []step
	calls []pairedCall
	byID  map[string]queue
	next  int // no call of the latest step before it waits for a result
	// fates are what becomes of the turns, made when the first is not to stay.
	fates []fate
}

// step is what the model says in consecutive turns. Its calls begin at first.
type step struct{ lastTurn, first int }

type pairedCall struct {
	call   *ToolCall
	result int // the turn that answers it, 0 if none does: the first turn cannot
	next   int // another call of the step with the same id, 0 if there is none
}

// queue is the calls of one step that have the same id: the one that waits for
// its result, or had the last, and the last of them.
type queue struct{ at, last int }

type fate uint8

const (
	stays fate = iota
	goes       // to its call, or away
	turnsToText
)

// match reads the turns.
func (p *pairing) match(lost *Losses) {
	open, behind := false, false // in a step; behind one, with nothing but results between
	for i := range p.turns {
		switch turn := &p.turns[i]; turn.Role {
		case RoleAssistant:
			if !open {
				p.steps = append(p.steps, step{first: len(p.calls)})
			}
			open, behind = true, true
			p.steps[len(p.steps)-1].lastTurn = i
			p.add(turn)
		case RoleTool:
			open = false
			p.result(i, behind, lost)
		default:
			open, behind = false, false
		}
	}
}

// first is where the calls of the latest step begin.
func (p *pairing) first() int { return p.steps[len(p.steps)-1].first }

// add adds the calls of a turn to the latest step.
func (p *pairing) add(turn *Turn) {
	for i := range turn.Parts {
		part := &turn.Parts[i]
		if part.Kind != PartToolCall {
			continue
		}
		n := len(p.calls)
		p.calls = append(p.calls, pairedCall{call: &part.Call})
		q, ok := p.byID[part.Call.ID]
		if ok && q.last >= p.first() {
			p.calls[q.last].next = n
			q.last = n
		} else {
			q = queue{n, n} // an id may come again in a later step
		}
		p.byID[part.Call.ID] = q
	}
}

// result finds the call that turn i answers.
func (p *pairing) result(i int, behind bool, lost *Losses) {
	turn := &p.turns[i]
	q, ok := p.byID[turn.CallID]
	if !ok && turn.CallID == "" {
		if c := p.waiting(); c != nil {
			c.result, turn.CallID = i, c.call.ID
			p.wrong = p.wrong || !behind
			return
		}
	}
	if !ok {
		if !p.partial {
			lost.Drop(turn.CallAt)
			p.decide(i, turnsToText)
		}
		return
	}
	if c := &p.calls[q.at]; c.result != 0 && c.next != 0 {
		q.at = c.next
		p.byID[turn.CallID] = q
	}
	c := &p.calls[q.at]
	switch {
	case c.result == 0:
		c.result = i
		p.wrong = p.wrong || !behind || q.at < p.first()
		return
	case !sameResult(&p.turns[c.result], turn):
		lost.Drop(turn.At)
	}
	p.decide(i, goes)
}

// waiting is the first call of the latest step that has no result: what a
// result without an id answers. Nil: there is none.
func (p *pairing) waiting() *pairedCall {
	if len(p.steps) == 0 {
		return nil
	}
	for p.next = max(p.next, p.first()); p.next < len(p.calls); p.next++ {
		if c := &p.calls[p.next]; c.result == 0 {
			return c
		}
	}
	return nil
}

func (p *pairing) decide(i int, f fate) {
	if p.fates == nil {
		p.fates = make([]fate, len(p.turns))
	}
	p.fates[i] = f
	p.wrong = p.wrong || f != stays
}

// missResults looks for calls that the conversation went on without.
func (p *pairing) missResults() {
	calls := p.calls
	if n := len(p.steps); n > 0 && p.steps[n-1].lastTurn == len(p.turns)-1 {
		calls = calls[:p.first()]
	}
	for i := range calls {
		p.wrong = p.wrong || calls[i].result == 0
	}
}

// arranged is the conversation put right.
func (p *pairing) arranged() []Turn {
	for i := range p.calls {
		if at := p.calls[i].result; at != 0 {
			p.decide(at, goes)
		}
	}
	if p.fates == nil {
		p.fates = make([]fate, len(p.turns))
	}
	out := make([]Turn, 0, len(p.turns)+len(p.calls))
	steps := p.steps
	for i := range p.turns {
		switch p.fates[i] {
		case stays:
			out = append(out, p.turns[i])
		case turnsToText:
			out = append(out, asText(&p.turns[i]))
		}
		if len(steps) == 0 || steps[0].lastTurn != i {
			continue
		}
		calls := p.calls[steps[0].first:]
		if steps = steps[1:]; len(steps) > 0 {
			calls = p.calls[len(p.calls)-len(calls) : steps[0].first]
		}
		if i < len(p.turns)-1 {
			out = p.answers(out, calls)
		}
	}
	return out
}

// answers appends the results of a step's calls, in the order in which they
// came, and what stands in for those that never did.
func (p *pairing) answers(out []Turn, calls []pairedCall) []Turn {
	slices.SortStableFunc(calls, func(a, b pairedCall) int {
		// Those without a result come last.
		return cmp.Compare(uint(a.result-1), uint(b.result-1))
	})
	for i := range calls {
		if at := calls[i].result; at != 0 {
			out = append(out, p.turns[at])
			continue
		}
		out = append(out, Turn{
			Role: RoleTool, CallID: calls[i].call.ID, ToolName: calls[i].call.Name, IsError: true,
			Parts: []Part{{Kind: PartText, Text: NoResult}},
		})
	}
	return out
}

// asText is a result that belongs to no call, as the user's words.
func asText(turn *Turn) Turn {
	parts := append([]Part{{Kind: PartText, Text: OrphanResult}}, turn.Parts...)
	return Turn{Role: RoleUser, Parts: parts, At: turn.At}
}

// sameResult tells whether two results say the same.
func sameResult(a, b *Turn) bool {
	return a.IsError == b.IsError && slices.EqualFunc(a.Parts, b.Parts, func(a, b Part) bool {
		return a.Kind == b.Kind && bytes.Equal(a.Text, b.Text) && bytes.Equal(a.Media.Data, b.Media.Data) &&
			a.Media.Type == b.Media.Type && a.Media.URL == b.Media.URL && a.Media.FileID == b.Media.FileID
	})
}
