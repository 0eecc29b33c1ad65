package blocks

import (
	"strings"
	"unicode"

	"github.com/caddyllm/llmproxy/transform"
)

// The roles of messages.
const (
	User      = "user"
	Assistant = "assistant"
	System    = "system"
)

// Message is one message of the body.
type Message[M any] struct {
	Role   string
	Blocks []Block[M]
}

// Rules are what formats and models differ in.
type Rules[M any] struct {
	// PlaceMedia finds the form in which media are sent. It returns nil, with
	// the part reported, if there is none.
	PlaceMedia func(part *transform.Part) *M
	// Vendor is whose reasoning may be sent back; empty: nobody's.
	Vendor transform.Vendor
	// SystemTurns tells that the system may speak in a message of its own, which
	// is only directly behind a user's.
	SystemTurns bool
	IDs         IDs
}

// Conversation is turns laid out as system blocks and as messages of the user
// and the assistant that alternate, with every call answered in the message
// behind it and before anything else that is said there.
type Conversation[M any] struct {
	System   []Block[M]
	Messages []Message[M]
	// Tools tells that there are calls or results among the messages.
	Tools bool

	rules Rules[M]
	lost  *transform.Losses

	// pending are the calls of the latest assistant message.
	pending []call
	// results and texts are the blocks of the user message being collected.
	results, texts []Block[M]
}

// MaxCalls bounds the calls of one assistant message, among which every result
// looks for its own.
const MaxCalls = 1024

// call is a tool call of the assistant that waits for its result.
type call struct {
	clientID, id string
	answered     bool
}

// LayOut arranges the turns.
func (c *Conversation[M]) LayOut(turns []transform.Turn, rules Rules[M], lost *transform.Losses) error {
	c.rules, c.lost = rules, lost
	for len(turns) > 0 && turns[0].Role.IsSystem() {
		c.System = c.systemBlocks(c.System, &turns[0])
		turns = turns[1:]
	}
	for i := range turns {
		turn := &turns[i]
		switch turn.Role {
		case transform.RoleAssistant:
			if err := c.addAssistant(turn); err != nil {
				return err
			}
		case transform.RoleTool:
			c.addResult(turn)
		case transform.RoleSystem, transform.RoleDeveloper:
			c.addSystem(turn)
		default:
			c.reportName(turn)
			c.texts = c.userBlocks(c.texts, turn)
		}
	}
	c.closeUser()
	c.tidyAssistant()
	return nil
}

// tidyAssistant brings the blocks of the assistant's messages into the order
// that the APIs want, once it is known what belongs to one message. A message
// may not end with reasoning; one that is nothing else goes, and those between
// which nothing is left are joined.
func (c *Conversation[M]) tidyAssistant() {
	kept := c.Messages[:0]
	for _, m := range c.Messages {
		if m.Role == Assistant {
			callsLast(m.Blocks)
			m.Blocks = c.trimReasoning(m.Blocks)
		}
		last := len(kept) - 1
		switch {
		case len(m.Blocks) == 0:
		case last >= 0 && kept[last].Role == m.Role:
			kept[last].Blocks = append(kept[last].Blocks, m.Blocks...)
		default:
			kept = append(kept, m)
		}
	}
	c.Messages = kept
}

// trimReasoning takes off what the model thought last if it said nothing then.
func (c *Conversation[M]) trimReasoning(list []Block[M]) []Block[M] {
	for len(list) > 0 && list[len(list)-1].Kind == Reasoning {
		c.lost.Drop(list[len(list)-1].Part.At)
		list = list[:len(list)-1]
	}
	return list
}

// reportName reports a speaker's name: the formats have no place for it.
func (c *Conversation[M]) reportName(turn *transform.Turn) {
	c.lost.DropName(turn)
}

// addAssistant adds an assistant turn, to the message before it if that is the
// assistant's too.
func (c *Conversation[M]) addAssistant(turn *transform.Turn) error {
	c.reportName(turn)
	list, err := c.assistantBlocks(turn)
	if err != nil || len(list) == 0 {
		return err
	}
	if len(c.results)+len(c.texts) > 0 {
		c.closeUser()
	}
	if last := c.last(); last != nil && last.Role == Assistant {
		last.Blocks = append(last.Blocks, list...)
	} else {
		c.pending = c.pending[:0]
		c.Messages = append(c.Messages, Message[M]{Role: Assistant, Blocks: list})
	}
	for i := range list {
		if list[i].Kind == ToolUse {
			if len(c.pending) == MaxCalls {
				return badRequest(turn.At.Pointer(), "too many tool calls in one turn")
			}
			c.Tools = true
			c.pending = append(c.pending, call{clientID: list[i].Part.Call.ID, id: list[i].ID})
		}
	}
	return nil
}

// addResult adds a tool turn to the user message being collected. A result
// without a call becomes text: the APIs refuse it otherwise.
func (c *Conversation[M]) addResult(turn *transform.Turn) {
	for i := range c.pending {
		waiting := &c.pending[i]
		if !waiting.answered && waiting.clientID == turn.CallID {
			waiting.answered = true
			c.results = append(c.results, c.resultBlock(turn, waiting.id))
			return
		}
	}
	c.lost.Drop(turn.CallAt)
	c.texts = append(c.texts, Block[M]{Text: transform.OrphanResult})
	c.texts = c.userBlocks(c.texts, turn)
}

// addSystem adds a system turn that is not at the beginning: as a message of
// its own where that is possible, or else as text of the next user message.
func (c *Conversation[M]) addSystem(turn *transform.Turn) {
	list := c.systemBlocks(nil, turn)
	if len(list) == 0 {
		return
	}
	if c.rules.SystemTurns {
		if last := c.last(); last != nil && last.Role == System && len(c.texts) == 0 {
			last.Blocks = append(last.Blocks, list...)
			return
		}
		if len(c.results)+len(c.texts) > 0 && !c.waiting() {
			c.closeUser()
			c.Messages = append(c.Messages, Message[M]{Role: System, Blocks: list})
			return
		}
	}
	c.texts = append(c.texts, list...)
}

// waiting tells whether a call has no result yet.
func (c *Conversation[M]) waiting() bool {
	for i := range c.pending {
		if !c.pending[i].answered {
			return true
		}
	}
	return false
}

// closeUser ends the user message being collected. Calls that got no result get
// one that says so: without, the APIs refuse the whole conversation.
func (c *Conversation[M]) closeUser() {
	for i := range c.pending {
		if waiting := &c.pending[i]; !waiting.answered {
			c.results = append(c.results, Block[M]{
				Kind: ToolResult, ID: waiting.id, Failed: true, Content: []Block[M]{{Text: transform.NoResult}},
			})
		}
	}
	c.pending = c.pending[:0]
	if len(c.results)+len(c.texts) == 0 {
		return
	}
	c.Messages = append(c.Messages, Message[M]{Role: User, Blocks: append(c.results, c.texts...)})
	c.results, c.texts = nil, nil
}

func (c *Conversation[M]) last() *Message[M] {
	if len(c.Messages) == 0 {
		return nil
	}
	return &c.Messages[len(c.Messages)-1]
}

// What stands in where the format demands a user message and the client has none.
var (
	emptyOpening = transform.Quote(".")
	goOn         = transform.Quote("Continue.")
)

// Finish sees to it that the messages begin with the user's and end with what
// the model may answer. prefill tells that it can go on with its own text.
func (c *Conversation[M]) Finish(prefill bool) error {
	if len(c.Messages) == 0 && len(c.System) == 0 {
		return badRequest("messages", "messages have no content: send at least one text that is not blank")
	}
	if len(c.Messages) == 0 || c.Messages[0].Role != User {
		c.Open([]Block[M]{{Text: emptyOpening}})
	}
	last := c.last()
	if last.Role != Assistant {
		return nil
	}
	if end := &last.Blocks[len(last.Blocks)-1]; prefill && end.Kind == Text {
		end.Text = trimRight(end.Text)
		return nil
	}
	c.Messages = append(c.Messages, Message[M]{Role: User, Blocks: []Block[M]{{Text: goOn}}})
	return nil
}

// Open puts blocks before all that the user says.
func (c *Conversation[M]) Open(list []Block[M]) {
	if len(c.Messages) > 0 && c.Messages[0].Role == User {
		c.Messages[0].Blocks = append(list, c.Messages[0].Blocks...)
		return
	}
	c.Messages = append([]Message[M]{{Role: User, Blocks: list}}, c.Messages...)
}

// Instruct adds a text behind the client's system texts, where it does not
// disturb the cache of the prompt before it.
func (c *Conversation[M]) Instruct(text transform.Literal) {
	c.System = append(c.System, Block[M]{Text: text})
}

// trimRight takes the white space off the end of a text that is not blank.
func trimRight(text transform.Literal) transform.Literal {
	s, _ := text.Text()
	trimmed := strings.TrimRightFunc(s, unicode.IsSpace)
	if len(trimmed) == len(s) {
		return text
	}
	return transform.Quote(trimmed)
}

// UnsignedLoop tells whether the model is in the middle of a tool loop whose
// assistant message does not begin with its thinking: with thinking switched on
// by budget Claude refuses that.
func (c *Conversation[M]) UnsignedLoop() bool {
	n := len(c.Messages)
	return n >= 2 && c.Messages[n-1].Role == User && c.Messages[n-2].Role == Assistant &&
		c.Messages[n-1].Blocks[0].Kind == ToolResult && c.Messages[n-2].Blocks[0].Kind != Reasoning
}
