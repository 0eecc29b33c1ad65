package anthropic

import (
	"github.com/caddyllm/llmproxy/transform"
)

// The roles of messages.
const (
	roleUser      = "user"
	roleAssistant = "assistant"
	roleSystem    = "system"
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
	// Results come first whatever the order of the turns: the API wants them
	// directly behind the calls.
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
	if e.to.Vendor != transform.VendorAnthropic {
		turns = transform.WithoutBilling(turns, e.lost)
	}
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
			e.addSystem(turn)
		default:
			e.reportName(turn)
			e.history.texts = e.userBlocks(e.history.texts, turn)
		}
	}
	e.closeUser()
	e.tidyAssistant()
	return nil
}

// tidyAssistant brings the blocks of the assistant's messages into the order
// that the API wants, once it is known what belongs to one message. A message
// may not end with reasoning; one that is nothing else goes.
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
	for len(blocks) > 0 {
		b := &blocks[len(blocks)-1]
		if b.kind != blockThinking && b.kind != blockRedacted {
			break
		}
		e.lost.Drop(b.part.At)
		blocks = blocks[:len(blocks)-1]
	}
	return blocks
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
// without a call becomes text: the API refuses it otherwise.
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

// addSystem adds a system turn that is not at the beginning: as a message of
// its own where the model takes it, which is only directly behind a user
// message, or else as text of the next user message.
func (e *encoder) addSystem(turn *transform.Turn) {
	h := &e.history
	blocks := e.systemBlocks(nil, turn)
	if len(blocks) == 0 {
		return
	}
	if e.model.SystemTurns && !e.cloud {
		if last := e.lastMessage(); last != nil && last.role == roleSystem && len(h.texts) == 0 {
			last.blocks = append(last.blocks, blocks...)
			return
		}
		if len(h.results)+len(h.texts) > 0 && !h.waiting() {
			e.closeUser()
			e.messages = append(e.messages, message{role: roleSystem, blocks: blocks})
			return
		}
	}
	h.texts = append(h.texts, blocks...)
}

// waiting tells whether a call has no result yet.
func (h *history) waiting() bool {
	for i := range h.pending {
		if !h.pending[i].answered {
			return true
		}
	}
	return false
}

// closeUser ends the user message being collected. Calls that got no result
// get one that says so: without, the API refuses the whole conversation.
func (e *encoder) closeUser() {
	h := &e.history
	for i := range h.pending {
		if c := &h.pending[i]; !c.answered {
			h.results = append(h.results, block{kind: blockToolResult, id: c.id})
		}
	}
	h.pending = h.pending[:0]
	if len(h.results)+len(h.texts) == 0 {
		return
	}
	e.messages = append(e.messages, message{role: roleUser, blocks: append(h.results, h.texts...)})
	h.results, h.texts = nil, nil
}

func (e *encoder) lastMessage() *message {
	if len(e.messages) == 0 {
		return nil
	}
	return &e.messages[len(e.messages)-1]
}

// What stands in where the format demands a user message and the client has none.
var (
	emptyOpening = transform.Quote(".")
	goOn         = transform.Quote("Continue.")
)

// finishMessages sees to it that the messages begin with the user's and end
// with what the model may answer.
func (e *encoder) finishMessages() error {
	if len(e.messages) == 0 && len(e.system) == 0 {
		return badRequest("messages", "messages have no content: send at least one text that is not blank")
	}
	if len(e.messages) == 0 || e.messages[0].role != roleUser {
		opening := message{role: roleUser, blocks: []block{{kind: blockText, text: emptyOpening}}}
		e.messages = append([]message{opening}, e.messages...)
	}
	last := e.lastMessage()
	if last.role != roleAssistant {
		return nil
	}
	if e.prefills(last) {
		end := &last.blocks[len(last.blocks)-1]
		end.text = trimRight(end.text)
		return nil
	}
	e.messages = append(e.messages, message{role: roleUser, blocks: []block{{kind: blockText, text: goOn}}})
	return nil
}

// prefills tells whether the model may continue the assistant's message.
func (e *encoder) prefills(last *message) bool {
	return e.model.Prefill && !e.thinking.on() && !e.output.constrained() && !e.choice.forced() &&
		last.blocks[len(last.blocks)-1].kind == blockText
}

// unsignedLoop tells whether the model is in the middle of a tool loop whose
// assistant message does not begin with its thinking: with thinking switched
// on by budget the API refuses that.
func (e *encoder) unsignedLoop() bool {
	n := len(e.messages)
	if n < 2 || e.messages[n-1].role != roleUser || e.messages[n-2].role != roleAssistant ||
		e.messages[n-1].blocks[0].kind != blockToolResult {
		return false
	}
	first := e.messages[n-2].blocks[0].kind
	return first != blockThinking && first != blockRedacted
}
