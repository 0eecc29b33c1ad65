package converse

import (
	"github.com/caddyllm/llmproxy/catalog"
	"github.com/caddyllm/llmproxy/transform"
)

// The roles of messages. They must alternate and begin with the user's.
const (
	roleUser      = "user"
	roleAssistant = "assistant"
)

// message is one message of the body.
type message struct {
	role   string
	blocks []block
}

// history is what the layout of the messages needs to know while it reads the
// turns, and what later decisions need to know of it.
type history struct {
	// pending are the calls of the latest assistant message.
	pending []call
	// results and texts are the blocks of the user message being collected.
	// Results come first whatever the order of the turns.
	results, texts []block

	ids callIDs
	// tools tells that there are calls or results among the messages.
	tools bool
}

// maxCalls bounds the calls of one assistant message, among which every result
// looks for its own.
const maxCalls = 1024

// call is a tool call of the assistant that waits for its result.
type call struct {
	clientID, id string
	answered     bool
}

// layOut arranges the turns as system blocks and messages.
func (e *encoder) layOut() error {
	turns := e.r.Turns
	if len(turns) == 0 {
		return badRequest("messages", "messages must not be empty")
	}
	if !e.family.claude {
		turns = transform.WithoutBilling(turns, e.lost)
	}
	e.history.ids.short = e.family.shortIDs
	for len(turns) > 0 && isSystem(turns[0].Role) {
		e.system = e.systemBlocks(e.system, &turns[0])
		turns = turns[1:]
	}
	for i := range turns {
		turn := &turns[i]
		switch turn.Role {
		case transform.RoleAssistant:
			if err := e.addAssistant(turn); err != nil {
				return err
			}
		case transform.RoleTool:
			e.addResult(turn)
		case transform.RoleSystem, transform.RoleDeveloper:
			// A role for it exists, but no model takes it for plain texts.
			e.history.texts = e.systemBlocks(e.history.texts, turn)
		default:
			e.reportName(turn)
			e.history.texts = e.userBlocks(e.history.texts, turn)
		}
	}
	e.closeUser()
	e.tidyAssistant()
	return nil
}

func isSystem(role transform.Role) bool {
	return role == transform.RoleSystem || role == transform.RoleDeveloper
}

// reportName reports a speaker's name: the format has no place for it.
func (e *encoder) reportName(turn *transform.Turn) {
	if turn.Name != "" {
		e.lost.Drop(turn.At.Key("name"))
	}
}

// addAssistant adds an assistant turn, to the message before it if that is
// the assistant's too.
func (e *encoder) addAssistant(turn *transform.Turn) error {
	e.reportName(turn)
	blocks, err := e.assistantBlocks(turn)
	if err != nil || len(blocks) == 0 {
		return err
	}
	h := &e.history
	if len(h.results)+len(h.texts) > 0 {
		e.closeUser()
	}
	if last := e.lastMessage(); last != nil && last.role == roleAssistant {
		last.blocks = append(last.blocks, blocks...)
	} else {
		h.pending = h.pending[:0]
		e.messages = append(e.messages, message{role: roleAssistant, blocks: blocks})
	}
	for i := range blocks {
		if blocks[i].kind == blockToolUse {
			if len(h.pending) == maxCalls {
				return badRequest(turn.At.Pointer(), "too many tool calls in one turn")
			}
			h.tools = true
			h.pending = append(h.pending, call{clientID: blocks[i].part.Call.ID, id: blocks[i].id})
		}
	}
	return nil
}

// addResult adds a tool turn to the user message being collected. A result
// without a call becomes text: Bedrock refuses it otherwise.
func (e *encoder) addResult(turn *transform.Turn) {
	h := &e.history
	for i := range h.pending {
		c := &h.pending[i]
		if !c.answered && c.clientID == turn.CallID {
			c.answered = true
			h.results = append(h.results, e.resultBlock(turn, c.id))
			return
		}
	}
	e.lost.Drop(turn.CallAt)
	h.texts = append(h.texts, block{kind: blockText, text: transform.OrphanResult})
	h.texts = e.userBlocks(h.texts, turn)
}

// What stands in where the format demands something and the client has nothing.
var (
	emptyOpening = transform.Quote(".")
	goOn         = transform.Quote("Continue.")
	attachment   = transform.Quote("A document is attached.")
	noOutput     = transform.Quote("The tool gave no output.")
	callFailed   = transform.Quote("The call failed.")
)

// closeUser ends the user message being collected. Calls that got no result
// get one that says so: without, Bedrock refuses the whole conversation.
func (e *encoder) closeUser() {
	h := &e.history
	for i := range h.pending {
		if c := &h.pending[i]; !c.answered {
			h.results = append(h.results, block{kind: blockToolResult, id: c.id, failed: true, content: []block{{text: transform.NoResult}}})
		}
	}
	h.pending = h.pending[:0]
	if len(h.results)+len(h.texts) == 0 {
		return
	}
	e.messages = append(e.messages, message{role: roleUser, blocks: describeDocuments(append(h.results, h.texts...))})
	h.results, h.texts = nil, nil
}

// describeDocuments puts a text beside documents that have none: Bedrock refuses them.
func describeDocuments(blocks []block) []block {
	first := -1
	for i := range blocks {
		switch {
		case blocks[i].kind == blockText:
			return blocks
		case blocks[i].kind == blockMedia && blocks[i].media.kind == "document" && first < 0:
			first = i
		}
	}
	if first < 0 {
		return blocks
	}
	blocks = append(blocks, block{})
	copy(blocks[first+1:], blocks[first:])
	blocks[first] = block{kind: blockText, text: attachment}
	return blocks
}

// tidyAssistant sees to it that no message of the assistant ends with
// reasoning, and joins those between which nothing is left.
func (e *encoder) tidyAssistant() {
	kept := e.messages[:0]
	for _, m := range e.messages {
		if m.role == roleAssistant {
			callsLast(m.blocks)
			m.blocks = e.trimReasoning(m.blocks)
		}
		last := len(kept) - 1
		switch {
		case len(m.blocks) == 0:
		case last >= 0 && kept[last].role == m.role:
			kept[last].blocks = append(kept[last].blocks, m.blocks...)
		default:
			kept = append(kept, m)
		}
	}
	e.messages = kept
}

// trimReasoning takes off what the model thought last if it said nothing then.
func (e *encoder) trimReasoning(blocks []block) []block {
	for len(blocks) > 0 && blocks[len(blocks)-1].kind == blockReasoning {
		e.lost.Drop(blocks[len(blocks)-1].part.At)
		blocks = blocks[:len(blocks)-1]
	}
	return blocks
}

func (e *encoder) lastMessage() *message {
	if len(e.messages) == 0 {
		return nil
	}
	return &e.messages[len(e.messages)-1]
}

// finishMessages sees to it that the messages begin with the user's and end
// with what the model may answer.
func (e *encoder) finishMessages() error {
	if len(e.messages) == 0 && len(e.system) == 0 {
		return badRequest("messages", "messages have no content: send at least one text that is not blank")
	}
	if e.family.noSystem && len(e.system) > 0 && len(e.messages) > 0 && e.messages[0].role == roleUser {
		e.messages[0].blocks = append(e.system, e.messages[0].blocks...)
		e.system = nil
	}
	if len(e.messages) == 0 || e.messages[0].role != roleUser {
		opening := message{role: roleUser, blocks: []block{{kind: blockText, text: emptyOpening}}}
		if e.family.noSystem && len(e.system) > 0 {
			opening.blocks, e.system = e.system, nil
		}
		e.messages = append([]message{opening}, e.messages...)
	}
	last := e.lastMessage()
	if last.role != roleAssistant {
		return nil
	}
	if end := &last.blocks[len(last.blocks)-1]; end.kind == blockText && e.prefills() {
		end.text = trimRight(end.text)
		return nil
	}
	e.messages = append(e.messages, message{role: roleUser, blocks: []block{{kind: blockText, text: goOn}}})
	return nil
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

// unsignedLoop tells whether the model is in the middle of a tool loop whose
// assistant message does not begin with its thinking: with thinking switched
// on by budget Claude refuses that.
func (e *encoder) unsignedLoop() bool {
	n := len(e.messages)
	return n >= 2 && e.messages[n-1].role == roleUser && e.messages[n-2].role == roleAssistant &&
		e.messages[n-1].blocks[0].kind == blockToolResult && e.messages[n-2].blocks[0].kind != blockReasoning
}
