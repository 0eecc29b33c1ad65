package gateway

import "github.com/caddyllm/llmproxy/transform"

// Memory keeps pieces of answers for the next request of the same conversation.
// A key belongs to one principal. It may forget.
type Memory interface {
	Keep(key string, r *Remembered)
	Find(key string) *Remembered
}

// Remembered is what is kept under one key. It is not changed once kept.
type Remembered struct {
	// Call is the signature of a tool call, by the call's id.
	Call transform.Opaque
	// Reasoning is what preceded the calls of the turn, kept with the first of them.
	Reasoning []transform.Part
	// Pin is where the signatures were made; nil: anywhere will do.
	Pin *Pin
	// Item is the JSON of an output item of Responses, by the item's id.
	Item []byte
}

// Size is about how many bytes of memory it takes.
func (r *Remembered) Size() int {
	n := 128 + len(r.Call.Data) + len(r.Item)
	for i := range r.Reasoning {
		n += 256 + len(r.Reasoning[i].Text) + len(r.Reasoning[i].Opaque.Data)
	}
	return n
}

// maxRemembered bounds what one key may keep.
const maxRemembered = 128 << 10

func (c *call) memoryKey(id string) string { return c.principal.ID + "\x00" + id }

func (c *call) keep(id string, r *Remembered) {
	if r.Size() <= maxRemembered {
		c.g.Memory.Keep(c.memoryKey(id), r)
	}
}
