package gateway

import (
	"bytes"
	"slices"

	"github.com/caddyllm/llmproxy/internal/jsonbytes"
	"github.com/caddyllm/llmproxy/transform"
)

// Clients of Responses may only refer to what was said before: {"type":
// "item_reference","id":…}, which OpenAI looks up among the responses that it
// stored. Items of an answer that the gateway translated are known to nobody but
// the gateway, which keeps them for a while.

var itemReference = []byte(`"item_reference"`)

// resolveItems puts the items that the gateway knows in the place of references
// to them. Others are left for the provider. The rest of the request stays as it is.
func (c *call) resolveItems() error {
	if c.client.Format() != transform.Responses || c.g.Memory == nil || !bytes.Contains(c.body.bytes, itemReference) {
		return nil
	}
	f := &c.routing
	i := slices.IndexFunc(f.members, func(m jsonbytes.Member) bool { return string(c.key(m)) == "input" })
	if i < 0 {
		return nil
	}
	at := f.members[i].Value
	input, err := c.resolved(f.members[i].Raw(c.body.bytes))
	if input == nil || err != nil {
		return err
	}
	c.body.bytes = slices.Concat(c.body.bytes[:at.From], input, c.body.bytes[at.To:])
	c.resolvedItems = true
	if f.members, err = jsonbytes.Scan(c.body.members[:0], c.body.bytes, c.g.Limits.Depth); err != nil {
		return scanError(err)
	}
	return nil
}

// resolved is an input array with items in the place of known references, nil if
// there are none. An item may be referred to many times: what comes of it is
// bounded like a request that holds it all.
func (c *call) resolved(input jsonbytes.Value) (array []byte, _ error) {
	found := false
	for _, item := range input.Elements() {
		if item.Get("type").Is("item_reference") {
			id, _ := item.Get("id").Text()
			if known := c.g.Memory.Find(c.memoryKey(id)); known != nil && known.Item != nil {
				item, found = known.Item, true
			}
		}
		if int64(len(array)+len(item)) > c.g.Limits.Body {
			return nil, errBodyTooLarge
		}
		array = append(append(array, ','), item...)
	}
	if !found {
		return nil, nil
	}
	array[0] = '['
	return append(array, ']'), nil
}

// remembersItems tells whether the client may refer to what it is answered.
func (c *call) remembersItems() bool {
	return c.client.Format() == transform.Responses && c.g.Memory != nil
}

// rememberItems keeps the items of a response, unless the client said that it
// keeps them itself.
func (c *call) rememberItems(response jsonbytes.Value) {
	if store, ok := c.member("store").Bool(); ok && !store {
		return
	}
	for _, item := range response.Get("output").Elements() {
		if id, ok := item.Get("id").Text(); ok && id != "" {
			c.keep(id, &Remembered{Item: bytes.Clone(item)})
		}
	}
}

// lastResponse is the response in the event that ends a stream.
func lastResponse(events []byte) jsonbytes.Value {
	at := bytes.LastIndex(events, []byte("\ndata: "))
	if at < 0 {
		return nil
	}
	data, _, _ := bytes.Cut(events[at+len("\ndata: "):], []byte("\n"))
	return jsonbytes.Parse(data).Get("response")
}
