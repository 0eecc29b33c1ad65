package gateway

import (
	"strings"

	"github.com/caddyllm/llmproxy/internal/jsonbytes"
	"github.com/caddyllm/llmproxy/routing"
	"github.com/caddyllm/llmproxy/transform"
)

// override changes the request as the model that was asked for wants it, and reads
// it again: from here on it is as if the client had sent it so. Counts are left
// alone, which take fewer members than what they count, and so are forms.
func (c *call) override() error {
	route := c.plan.Route
	if route == nil || len(route.Overrides) == 0 || c.op == opCount || c.form != nil {
		return nil
	}
	o := overrider{squash: c.client.Format() == transform.Gemini, depth: c.g.Limits.Depth}
	edited, err := o.append(make([]byte, 0, len(c.body.bytes)+256), c.body.bytes, c.routing.members, route.Overrides, 0)
	if err != nil {
		return scanError(err)
	}
	if !o.changed {
		return nil
	}
	c.body.bytes = edited
	c.routing, c.estimated = routingFields{}, 0
	return c.readRouting()
}

// overrider edits one request.
type overrider struct {
	// squash tells that a member may be spelled in two ways: generationConfig is
	// generation_config.
	squash  bool
	depth   int
	changed bool
}

// append appends an object with the overrides made, whose paths are the same up to
// their name number at. They are in order: those of one member come together.
func (o *overrider) append(dst, object []byte, members []jsonbytes.Member, overrides []routing.Override, at int) ([]byte, error) {
	var patch jsonbytes.Patch
	for len(overrides) > 0 {
		name := overrides[0].Path[at]
		n := 1
		for n < len(overrides) && overrides[n].Path[at] == name {
			n++
		}
		spelled, old := o.find(object, members, name)
		value, err := o.value(old, overrides[:n], at)
		if err != nil {
			return dst, err
		}
		if value != nil {
			patch.Set(spelled, value)
			o.changed = true
		}
		overrides = overrides[n:]
	}
	return patch.Append(dst, object, members), nil
}

// value is what becomes of one member, nil if it stays as it is.
func (o *overrider) value(old jsonbytes.Value, overrides []routing.Override, at int) ([]byte, error) {
	if first := &overrides[0]; len(first.Path) == at+1 {
		if first.Force || old.Empty() {
			return first.Value, nil
		}
		return nil, nil
	}
	if !old.Empty() && old.Kind() != jsonbytes.Object {
		// A default has no place in what the client wants to be something else.
		if overrides = forced(overrides); len(overrides) == 0 {
			return nil, nil
		}
		old = nil
	}
	if old.Empty() {
		old = jsonbytes.Value("{}")
	}
	members, err := jsonbytes.Scan(nil, old, o.depth)
	if err != nil {
		return nil, err
	}
	inner := overrider{squash: o.squash, depth: o.depth}
	value, err := inner.append(nil, old, members, overrides, at+1)
	if err != nil || !inner.changed {
		return nil, err
	}
	// A name that differs from the operator's in letter case alone must not stand beside it.
	return value, jsonbytes.Value(value).Unique("/" + strings.Join(overrides[0].Path[:at+1], "/"))
}

// find is the value of a member, nil if there is none, and how the client spells its name.
func (o *overrider) find(object []byte, members []jsonbytes.Member, name string) (spelled string, value jsonbytes.Value) {
	spelled = name
	for _, m := range members {
		key := jsonbytes.Value(object[m.Key.From-1 : m.Key.To+1]) // with its quotes
		if key.Is(name) {
			return name, m.Raw(object)
		}
		if text, _ := key.Text(); o.squash && squashed(text) == squashed(name) {
			spelled, value = text, m.Raw(object)
		}
	}
	return spelled, value
}

// squashed is what two spellings of a member of Gemini's format have in common.
func squashed(name string) string { return strings.ToLower(strings.ReplaceAll(name, "_", "")) }

func forced(overrides []routing.Override) (list []routing.Override) {
	for _, o := range overrides {
		if o.Force {
			list = append(list, o)
		}
	}
	return list
}
