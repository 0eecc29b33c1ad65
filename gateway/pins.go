package gateway

import (
	"bytes"
	"slices"
	"strconv"

	"github.com/cespare/xxhash/v2"

	"github.com/caddyllm/llmproxy/internal/jsonbytes"
	"github.com/caddyllm/llmproxy/internal/sse"
	"github.com/caddyllm/llmproxy/providers"
	"github.com/caddyllm/llmproxy/routing"
	"github.com/caddyllm/llmproxy/transform"
)

// What a provider stored, or encrypted for itself, only it can make use of, and
// only under the key that was used then: the response that previous_response_id
// names, items that are referred to, encrypted reasoning. Requests that hold such
// a thing go back to where it was made.

// Pins remember where things were made. A key belongs to one principal. They may forget.
type Pins interface {
	Keep(key string, p Pin)
	Find(key string) (Pin, bool)
}

// Pin is where something was made.
type Pin struct {
	Provider string
	Key      providers.Fingerprint
}

// pin keeps the plan to the place that the request is bound to. A plan that does
// not hold the place is left as it is: the provider knows best what it can find.
func (c *call) pin() {
	if c.g.Pins == nil || c.op != opChat || !c.mayChoose() {
		return
	}
	pin, bound := c.boundTo()
	if !bound {
		return
	}
	elsewhere := func(t *routing.Target) bool { return t.Upstream.Name != pin.Provider }
	targets := slices.DeleteFunc(slices.Clone(c.plan.Targets), func(t routing.Target) bool { return elsewhere(&t) })
	obstructed := slices.DeleteFunc(slices.Clone(c.plan.Obstructed), func(o routing.Obstructed) bool { return elsewhere(&o.Target) })
	if len(targets)+len(obstructed) > 0 {
		c.plan.Targets, c.plan.Obstructed, c.pinned = targets, obstructed, &pin.Key
	}
}

// mayChoose tells whether the plan leads to more than one account.
func (c *call) mayChoose() bool {
	var first *providers.Upstream
	for i := range len(c.plan.Targets) + len(c.plan.Obstructed) {
		var upstream *providers.Upstream
		if i < len(c.plan.Targets) {
			upstream = c.plan.Targets[i].Upstream
		} else {
			upstream = c.plan.Obstructed[i-len(c.plan.Targets)].Upstream
		}
		if first != nil && upstream != first || len(upstream.Base().Fingerprints()) > 1 {
			return true
		}
		first = upstream
	}
	return false
}

var toolCalls = []byte(`"tool_calls"`)

// boundTo finds where something was made that the request refers to.
func (c *call) boundTo() (Pin, bool) {
	switch {
	case c.client.Format() == transform.Responses:
		return c.boundByItems()
	case transform.HoldsSealed(c.body.bytes):
		return c.boundBySealed()
	case c.client.Format() == transform.OpenAIChat && c.g.Memory != nil && bytes.Contains(c.body.bytes, toolCalls):
		return c.boundByCalls()
	}
	return Pin{}, false
}

func (c *call) boundByItems() (Pin, bool) {
	if id, ok := c.member("previous_response_id").Text(); ok {
		return c.g.Pins.Find(c.memoryKey(id))
	}
	for _, item := range c.member("input").Elements() {
		if id, ok := item.Get("id").Text(); ok {
			if pin, found := c.g.Pins.Find(c.memoryKey(id)); found {
				return pin, true
			}
		}
		if piece := item.Get("encrypted_content"); piece.HasText() {
			if pin, found := c.g.Pins.Find(c.pieceKey(piece)); found {
				return pin, true
			}
		}
	}
	return Pin{}, false
}

func (c *call) boundBySealed() (Pin, bool) {
	if c.decode() != nil || c.decoded.chat == nil {
		return Pin{}, false // which the attempt will say
	}
	for t := range c.decoded.chat.Turns {
		for p := range c.decoded.chat.Turns[t].Parts {
			if piece := c.decoded.chat.Turns[t].Parts[p].Opaque.Data; len(piece) > 0 {
				if pin, found := c.g.Pins.Find(c.pieceKey(jsonbytes.Value(piece))); found {
					return pin, true
				}
			}
		}
	}
	return Pin{}, false
}

// boundByCalls is for pieces that the gateway keeps for clients, by the calls that they belong to.
func (c *call) boundByCalls() (Pin, bool) {
	for _, message := range c.member("messages").Elements() {
		for _, toolCall := range message.Get("tool_calls").Elements() {
			id, _ := toolCall.Get("id").Text()
			if kept := c.g.Memory.Find(c.memoryKey(id)); kept != nil && kept.Pin != nil {
				return *kept.Pin, true
			}
		}
	}
	return Pin{}, false
}

// pieceKey stands for an encrypted piece, which is too long to be a key itself.
func (c *call) pieceKey(piece jsonbytes.Value) string {
	return c.memoryKey("piece " + strconv.FormatUint(xxhash.Sum64(piece), 36))
}

// makesPins tells whether the provider's answer holds what binds later requests to it.
func (a *attempt) makesPins() bool {
	return a.g.Pins != nil && a.op == opChat && a.endpoint.Codec.Format() == transform.Responses && a.mayChoose()
}

func (a *attempt) place() Pin {
	return Pin{Provider: a.target.Upstream.Name, Key: a.fingerprint}
}

// pinResponse remembers where a whole response was made.
func (a *attempt) pinResponse(response jsonbytes.Value) {
	a.pinID(response.Get("id"))
	for _, item := range response.Get("output").Elements() {
		a.pinItem(item)
	}
}

// pinAnswer remembers where an answer in neutral form was made.
func (a *attempt) pinAnswer(answer *transform.Response) {
	a.pinID(jsonbytes.Value(transform.Quote(answer.ID)))
	for i := range answer.Choices {
		for j := range answer.Choices[i].Parts {
			a.pinPiece(jsonbytes.Value(answer.Choices[i].Parts[j].Opaque.Data))
		}
	}
}

func (a *attempt) pinItem(item jsonbytes.Value) {
	a.pinID(item.Get("id"))
	a.pinPiece(item.Get("encrypted_content"))
}

func (a *attempt) pinID(id jsonbytes.Value) {
	if text, ok := id.Text(); ok && text != "" && len(text) <= maxPinned {
		a.g.Pins.Keep(a.memoryKey(text), a.place())
	}
}

// maxPinned is the longest id that is remembered; the usual ones have some 50 bytes.
const maxPinned = 256

func (a *attempt) pinPiece(piece jsonbytes.Value) {
	if piece.HasText() {
		a.g.Pins.Keep(a.pieceKey(piece), a.place())
	}
}

// pinEvent remembers what an event of a stream of Responses says was made.
func (a *attempt) pinEvent(e *sse.Event) {
	switch string(e.Name) {
	case "response.created":
		a.pinID(jsonbytes.Parse(e.Data).Get("response").Get("id"))
	case "response.output_item.added", "response.output_item.done":
		a.pinItem(jsonbytes.Parse(e.Data).Get("item"))
	}
}
