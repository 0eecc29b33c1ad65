package gateway

import (
	"slices"

	"github.com/caddyllm/llmproxy/transform"
)

// Providers that reason sign their reasoning and their tool calls, and want the
// signatures back with the tool results. Most OpenAI clients throw away what
// their format has no member for, so the gateway keeps it for them, by the id
// of the tool call, until the loop goes on.

// recall puts back what the client could not carry. What a client of Chat
// Completions returns of signed reasoning may be a part of it: SDKs that gather a
// stream keep the last element of a list that they do not know.
func (c *call) recall(r *transform.Request) {
	if c.g.Memory == nil {
		return
	}
	for t := range r.Turns {
		turn := &r.Turns[t]
		if turn.Role != transform.RoleAssistant || c.client.Format() != transform.OpenAIChat && slices.ContainsFunc(turn.Parts, isSignedReasoning) {
			continue
		}
		var reasoning []transform.Part
		for p := range turn.Parts {
			part := &turn.Parts[p]
			if part.Kind != transform.PartToolCall {
				continue
			}
			kept := c.g.Memory.Find(c.memoryKey(part.Call.ID))
			if kept == nil {
				continue
			}
			if part.Opaque.Kind == transform.OpaqueNone {
				part.Opaque = kept.Call
			}
			reasoning = append(reasoning, kept.Reasoning...)
		}
		if len(reasoning) > 0 {
			spoken := slices.DeleteFunc(turn.Parts, func(p transform.Part) bool { return p.Kind == transform.PartReasoning })
			turn.Parts = append(slices.Clone(reasoning), spoken...)
		}
	}
}

func isSignedReasoning(p transform.Part) bool {
	return p.Kind == transform.PartReasoning && p.Opaque.Kind != transform.OpaqueNone
}

// remember keeps the signatures of a whole answer.
func (a *attempt) remember(answer *transform.Response) {
	c := a.call
	if c.g.Memory == nil || len(answer.Choices) == 0 {
		return
	}
	pin := a.pinOfMemory()
	var reasoning []transform.Part
	for _, part := range answer.Choices[0].Parts {
		switch {
		case isSignedReasoning(part):
			part.Text, part.Opaque.Data = slices.Clone(part.Text), slices.Clone(part.Opaque.Data)
			reasoning = append(reasoning, part)
		case part.Kind == transform.PartToolCall && (part.Opaque.Kind != transform.OpaqueNone || len(reasoning) > 0):
			part.Opaque.Data = slices.Clone(part.Opaque.Data)
			c.keep(part.Call.ID, &Remembered{Call: part.Opaque, Reasoning: reasoning, Pin: pin})
			reasoning = nil
		}
	}
}

// signatureRecorder gathers the signatures of a stream.
type signatureRecorder struct {
	call      *call
	pin       *Pin
	calls     []recordedCall
	reasoning []transform.Part
	part      int // the reasoning part that is open
	size      int
}

type recordedCall struct {
	id     string
	part   int
	opaque transform.Opaque
}

func (a *attempt) newSignatureRecorder() *signatureRecorder {
	if a.g.Memory == nil {
		return nil
	}
	return &signatureRecorder{call: a.call, part: -1, pin: a.pinOfMemory()}
}

// pinOfMemory is where what is kept of an answer belongs, nil if anywhere.
func (a *attempt) pinOfMemory() *Pin {
	if !a.makesPins() {
		return nil
	}
	place := a.place()
	return &place
}

// watch keeps of a delta what a later request may need.
func (s *signatureRecorder) watch(d *transform.Delta) {
	if s == nil || d.Choice != 0 || s.size > maxRemembered {
		return
	}
	switch d.Kind {
	case transform.DeltaReasoning:
		s.size += len(d.Text)
		s.openReasoning(d.Part)
		last := &s.reasoning[len(s.reasoning)-1]
		last.Text = joinLiterals(last.Text, d.Text)
	case transform.DeltaToolStart:
		s.calls = append(s.calls, recordedCall{id: d.Call.ID, part: d.Part, opaque: s.clone(d.Opaque)})
	case transform.DeltaOpaque:
		opaque := s.clone(d.Opaque)
		for i := range s.calls {
			if s.calls[i].part == d.Part {
				s.calls[i].opaque = opaque
				return
			}
		}
		s.openReasoning(d.Part)
		s.reasoning[len(s.reasoning)-1].Opaque = opaque
	}
}

// clone keeps an opaque piece beyond the event that it came in.
func (s *signatureRecorder) clone(o transform.Opaque) transform.Opaque {
	s.size += len(o.Data)
	o.Data = slices.Clone(o.Data)
	return o
}

func (s *signatureRecorder) openReasoning(part int) {
	if s.part != part || len(s.reasoning) == 0 {
		s.reasoning = append(s.reasoning, transform.Part{Kind: transform.PartReasoning})
		s.part = part
	}
}

// joinLiterals makes one JSON string of two.
func joinLiterals(a, b transform.Literal) transform.Literal {
	if len(a) == 0 {
		return slices.Clone(b)
	}
	if len(b) < 2 {
		return a
	}
	return append(a[:len(a)-1], b[1:]...)
}

// keep stores what was gathered, once the stream ended well.
func (s *signatureRecorder) keep() {
	if s == nil || s.size > maxRemembered {
		return
	}
	signed := slices.DeleteFunc(s.reasoning, func(p transform.Part) bool { return !isSignedReasoning(p) })
	for i := range s.calls {
		recorded := &s.calls[i]
		if recorded.opaque.Kind == transform.OpaqueNone && len(signed) == 0 {
			continue
		}
		s.call.keep(recorded.id, &Remembered{Call: recorded.opaque, Reasoning: signed, Pin: s.pin})
		signed = nil
	}
}
