package converse

import (
	"github.com/caddyllm/llmproxy/catalog"
	"github.com/caddyllm/llmproxy/transform"
	"github.com/caddyllm/llmproxy/transform/blocks"
)

type block = blocks.Block[media]

// What stands in where the format demands something and the client has nothing.
var (
	attachment = transform.Quote("A document is attached.")
	noOutput   = transform.Quote("The tool gave no output.")
)

// layOut arranges the turns as system blocks and messages. A role for the system
// exists among these, but no model takes it for plain texts.
func (e *encoder) layOut() error {
	turns := e.r.Turns
	if len(turns) == 0 {
		return badRequest("messages", "messages must not be empty")
	}
	if !e.family.claude {
		turns = transform.WithoutBilling(turns, e.lost)
	}
	rules := blocks.Rules[media]{
		PlaceMedia: e.placeMedia, Vendor: e.to.Vendor,
		IDs: blocks.IDs{Most: maxName, Short: e.family.shortIDs},
	}
	if err := e.LayOut(turns, rules, e.lost); err != nil {
		return err
	}
	for i := range e.Messages {
		if m := &e.Messages[i]; m.Role == blocks.User {
			m.Blocks = describeDocuments(m.Blocks)
		}
	}
	return nil
}

// describeDocuments puts a text beside documents that have none: Bedrock refuses them.
func describeDocuments(list []block) []block {
	first := -1
	for i := range list {
		switch {
		case list[i].Kind == blocks.Text:
			return list
		case list[i].Kind == blocks.Media && list[i].Media.kind == "document" && first < 0:
			first = i
		}
	}
	if first < 0 {
		return list
	}
	list = append(list, block{})
	copy(list[first+1:], list[first:])
	list[first] = block{Text: attachment}
	return list
}

// finish sees to it that the messages begin and end as they must. Where there is
// no system prompt, the user says what it would.
func (e *encoder) finish() error {
	if e.family.noSystem && len(e.System) > 0 {
		e.Open(e.System)
		e.System = nil
	}
	return e.Finish(e.prefills())
}

// prefills tells whether the model may continue the assistant's message.
func (e *encoder) prefills() bool {
	p := &e.parameters
	if p.thinks || p.forced || p.constrained {
		return false
	}
	if e.family.claude {
		model, _ := catalog.FindClaude(e.to.Model)
		return model.Prefill
	}
	return e.family.prefill
}
