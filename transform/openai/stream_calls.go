package openai

import (
	"bytes"

	"github.com/caddyllm/llmproxy/internal/jsonbytes"
	"github.com/caddyllm/llmproxy/transform"
)

// call reads one element of a delta's tool_calls. OpenAI sends the id and the
// name first and numbers each piece; others repeat them, number nothing, leave
// out the type, or send the arguments as an object.
func (c *choiceDecoder) call(dst []transform.Delta, v jsonbytes.Value) ([]transform.Delta, error) {
	inner, arguments, custom := v.Get("function"), "arguments", false
	if own := v.Get("custom"); own.Kind() == jsonbytes.Object {
		inner, arguments, custom = own, "input", true
	}
	key := int64(keyNone)
	if n, ok := v.Get("index").Int(); ok && n >= 0 {
		key = n
	}
	id, _ := v.Get("id").Text()
	name, _ := inner.Get("name").Text()
	at, err := c.callAt(key, id, name)
	if err != nil {
		return dst, err
	}
	dst = c.openCall(dst, at, id, name, custom)
	if signature := thoughtSignature(v.Get("extra_content")); signature != nil {
		dst = c.sign(dst, at, transform.Opaque{Vendor: transform.VendorGoogle, Kind: transform.OpaqueSignature, Data: signature})
	}
	return c.arguments(dst, at, inner.Get(arguments)), nil
}

// functionCall reads a call of the time before tool_calls, of which there is
// one at most.
func (c *choiceDecoder) functionCall(dst []transform.Delta, v jsonbytes.Value) ([]transform.Delta, error) {
	if len(c.calls) == 0 {
		c.calls = append(c.calls, callDecoder{key: 0})
	}
	name, _ := v.Get("name").Text()
	dst = c.openCall(dst, 0, "", name, false)
	return c.arguments(dst, 0, v.Get("arguments")), nil
}

// callAt finds the call that a piece belongs to, or begins one.
func (c *choiceDecoder) callAt(key int64, id, name string) (int, error) {
	last := len(c.calls) - 1
	if key == keyNone && id == "" && name == "" && last >= 0 {
		return last, nil
	}
	for i := last; i >= 0; i-- {
		have := &c.calls[i]
		if key == keyNone && id != "" && have.id == id {
			return i, nil
		}
		if key == keyNone || have.key != key {
			continue
		}
		// Some number all their calls 0: another id with a name begins one.
		if id == "" || have.id == "" || id == have.id || name == "" || !have.named {
			return i, nil
		}
		break
	}
	if len(c.calls) >= maxCalls {
		return 0, errTooMany
	}
	c.calls = append(c.calls, callDecoder{key: key})
	return last + 1, nil
}

// openCall begins a call as soon as its name is known.
func (c *choiceDecoder) openCall(dst []transform.Delta, at int, id, name string, custom bool) []transform.Delta {
	have := &c.calls[at]
	if have.id == "" {
		have.id = id
	}
	if have.named || name == "" {
		return dst
	}
	if have.id == "" || c.taken(at, have.id) {
		have.id = transform.NewID("call_")
	}
	c.part++
	c.kind, c.signed = transform.PartToolCall, false
	have.named, have.part = true, c.part
	dst = append(dst, transform.Delta{
		Kind: transform.DeltaToolStart, Choice: c.index, Part: c.part, Tool: at,
		Call: transform.ToolCall{ID: have.id, Name: name, Custom: custom},
	})
	for _, d := range c.early {
		if d.callID == have.id {
			dst = c.sign(dst, at, d.opaque)
		}
	}
	if len(have.held) > 0 {
		held := append(append([]byte{'"'}, have.held...), '"')
		have.held = nil
		dst = c.argument(dst, at, held)
	}
	return dst
}

// taken tells whether another call has the id already.
func (c *choiceDecoder) taken(at int, id string) bool {
	for i := range c.calls {
		if i != at && c.calls[i].id == id {
			return true
		}
	}
	return false
}

func (c *choiceDecoder) arguments(dst []transform.Delta, at int, v jsonbytes.Value) []transform.Delta {
	var piece transform.Literal
	switch v.Kind() {
	case jsonbytes.String:
		piece = v.NonEmpty()
	case jsonbytes.Object:
		piece = jsonbytes.AppendBytes(nil, v)
	}
	switch {
	case piece == nil:
		return dst
	case !c.calls[at].named:
		c.calls[at].held = append(c.calls[at].held, piece[1:len(piece)-1]...)
		return dst
	}
	return c.argument(dst, at, piece)
}

func (c *choiceDecoder) argument(dst []transform.Delta, at int, piece transform.Literal) []transform.Delta {
	return append(dst, transform.Delta{Kind: transform.DeltaToolArguments, Choice: c.index, Part: c.calls[at].part, Tool: at, Text: piece})
}

func (c *choiceDecoder) sign(dst []transform.Delta, at int, o transform.Opaque) []transform.Delta {
	return append(dst, transform.Delta{Kind: transform.DeltaOpaque, Choice: c.index, Part: c.calls[at].part, Tool: at, Opaque: o})
}

// signCall gives a call the signature that came beside it, now or once it
// begins.
func (c *choiceDecoder) signCall(dst []transform.Delta, d detail) []transform.Delta {
	for i := range c.calls {
		if c.calls[i].named && c.calls[i].id == d.callID {
			return c.sign(dst, i, d.opaque)
		}
	}
	if len(c.early) < maxCalls {
		// The event's memory is not ours to keep.
		d.opaque.Data = bytes.Clone(d.opaque.Data)
		c.early = append(c.early, d)
	}
	return dst
}
