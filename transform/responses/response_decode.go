package responses

import (
	"fmt"

	"github.com/caddyllm/llmproxy/internal/jsonbytes"
	"github.com/caddyllm/llmproxy/transform"
	"github.com/caddyllm/llmproxy/transform/openai"
)

// response is the members of a response that matter, found in one pass.
type response struct {
	id, model, tier, status jsonbytes.Value
	created                 jsonbytes.Value
	details, failure        jsonbytes.Value // incomplete_details, error
	output, usage, tools    jsonbytes.Value
	object                  jsonbytes.Value
}

func openResponse(v jsonbytes.Value) (r response) {
	for key, value := range v.Members() {
		switch string(key) {
		case "id":
			r.id = value
		case "object":
			r.object = value
		case "model":
			r.model = value
		case "service_tier":
			r.tier = value
		case "status":
			r.status = value
		case "created_at":
			r.created = value
		case "incomplete_details":
			r.details = value
		case "error":
			r.failure = value
		case "output":
			r.output = value
		case "usage":
			r.usage = value
		case "tools":
			r.tools = value
		}
	}
	return r
}

// readResponse validates a body. An error that came with status 200 is an
// *transform.Error.
func readResponse(body []byte) (r response, err error) {
	if err = jsonbytes.Check(body, 0); err != nil {
		return r, fmt.Errorf("responses: the answer is %w", err)
	}
	root := jsonbytes.Parse(body)
	r = openResponse(root)
	switch {
	case root.Kind() != jsonbytes.Object:
		return r, errNoAnswer
	case r.failed():
		return r, failureOf(body)
	case r.output == nil && r.object == nil:
		return r, errNoAnswer
	}
	return r, nil
}

// failed tells whether a response is one of an error.
func (r *response) failed() bool {
	return r.failure.Kind() == jsonbytes.Object || r.failure.Kind() == jsonbytes.String && !r.failure.Is("") ||
		r.status.Is("failed") || r.status.Is("cancelled")
}

// settle makes the status that of the event with which the response ended: some
// servers leave it out, or as it was.
func (r *response) settle(event []byte) {
	switch string(event) {
	case "response.completed":
		if !r.status.Is("incomplete") {
			r.status = jsonbytes.Value(`"completed"`)
		}
	case "response.incomplete":
		r.status = jsonbytes.Value(`"incomplete"`)
	}
}

// finish is why the response ended, unknown as long as it has not.
func (r *response) finish(calls bool) transform.Finish {
	switch {
	case r.status.Is("incomplete"):
		switch reason := r.details.Get("reason"); {
		case reason.Is("content_filter"):
			return transform.FinishContentFilter
		case reason.Is("max_output_tokens"), reason.Is("max_tokens"), reason.Is("length"):
			return transform.FinishLength
		}
		return transform.FinishStop // max_messages, steered
	case r.status.Is("queued"), r.status.Is("in_progress"):
		return transform.FinishUnknown
	case calls:
		return transform.FinishToolCalls
	}
	return transform.FinishStop
}

// unixTime reads created_at, which some servers give in fractions.
func unixTime(v jsonbytes.Value) int64 {
	if n, ok := v.Int(); ok {
		return n
	}
	f, ok := v.Float()
	if !ok || f < 0 || f > 1<<40 {
		return 0
	}
	return int64(f)
}

// DecodeResponse reads a whole response. What OpenAI's own tools did is not for
// the client.
func (Codec) DecodeResponse(body []byte) (*transform.Response, error) {
	r, err := readResponse(body)
	if err != nil {
		return nil, err
	}
	if r.output == nil {
		return nil, errNoAnswer
	}
	a := &transform.Response{Created: unixTime(r.created), Usage: openai.ReadUsage(r.usage)}
	a.ID, _ = r.id.Text()
	a.Model, _ = r.model.Text()
	a.ServiceTier, _ = r.tier.Text()
	d := outputDecoder{tools: declaredTools(r.tools)}
	for _, v := range r.output.Elements() {
		d.item(v)
	}
	choice := transform.Choice{Parts: d.parts, Finish: r.finish(d.calls > 0)}
	if len(d.logprobs) > 0 {
		choice.Logprobs = chatLogprobs(d.logprobs)
	}
	a.Choices = []transform.Choice{choice}
	return a, nil
}

// chatLogprobs wraps elements in Chat Completions' form.
func chatLogprobs(elements []byte) jsonbytes.Value {
	v := append([]byte(`{"content":[`), elements...)
	return append(v, `],"refusal":null}`...)
}

// clientTools are the custom tools of a request, as its response repeats them.
type clientTools struct {
	known  bool // the response repeats tools at all
	custom []string
}

// maxTools bounds what is kept of them.
const maxTools = 1024

func declaredTools(tools jsonbytes.Value) (t clientTools) {
	t.known = tools.Len() > 0
	for _, v := range tools.Elements() {
		if v.Get("type").Is("custom") && len(t.custom) < maxTools {
			name, _ := v.Get("name").Text()
			t.custom = append(t.custom, name)
		}
	}
	return t
}

// run tells whether a custom call is for the client to run. xAI shows those of
// its own search in the same form.
func (t *clientTools) run(name string) bool {
	if !t.known {
		return true
	}
	for _, custom := range t.custom {
		if custom == name {
			return true
		}
	}
	return false
}

// outputDecoder turns items into parts.
type outputDecoder struct {
	tools    clientTools
	parts    []transform.Part
	calls    int
	logprobs []byte // elements
}

func (d *outputDecoder) item(v jsonbytes.Value) {
	switch kind := v.Get("type"); {
	case kind.Is("message"):
		for _, p := range v.Get("content").Elements() {
			d.content(p)
		}
	case kind.Is("reasoning"):
		if part := readReasoning(v); part.Text != nil || part.Opaque.Kind != transform.OpaqueNone {
			d.parts = append(d.parts, part)
		}
	case kind.Is("function_call"), kind.Is("custom_tool_call"):
		call := readCall(v)
		if call.Name == "" || call.Custom && !d.tools.run(call.Name) {
			return
		}
		if call.ID == "" {
			call.ID = "call_" + newTail()
		}
		if call.Custom {
			call.Arguments = v.Get("input").AppendText(nil)
		} else {
			call.Arguments = openai.Arguments(v.Get("arguments"))
		}
		d.calls++
		d.parts = append(d.parts, transform.Part{Kind: transform.PartToolCall, Call: call})
	}
}

func (d *outputDecoder) content(v jsonbytes.Value) {
	if said := v.Get("refusal").NonEmpty(); said != nil {
		d.parts = append(d.parts, transform.Part{Kind: transform.PartRefusal, Text: said})
		return
	}
	said := v.Get("text").NonEmpty()
	if said == nil {
		return
	}
	d.parts = append(d.parts, transform.Part{Kind: transform.PartText, Text: said})
	for _, a := range v.Get("annotations").Elements() {
		if citation := nestCitation(a); citation != nil {
			d.parts = append(d.parts, transform.Part{Kind: transform.PartCitation, Citation: citation})
		}
	}
	if list := v.Get("logprobs"); list.Len() > 0 && list.Kind() == jsonbytes.Array {
		if len(d.logprobs) > 0 {
			d.logprobs = append(d.logprobs, ',')
		}
		d.logprobs = append(d.logprobs, list[1:len(list)-1]...)
	}
}

// readReasoning reads a reasoning item: summaries, which OpenAI gives, or the
// text itself, which models that are open do.
func readReasoning(v jsonbytes.Value) transform.Part {
	part := transform.Part{Kind: transform.PartReasoning}
	var texts []transform.Literal
	for _, list := range [...]jsonbytes.Value{v.Get("summary"), v.Get("content")} {
		for _, e := range list.Elements() {
			if said := e.Get("text").NonEmpty(); said != nil {
				texts = append(texts, said)
			}
		}
	}
	part.Text = jsonbytes.Join(`\n\n`, texts...)
	part.Opaque = readEncrypted(v)
	return part
}

func readEncrypted(v jsonbytes.Value) (o transform.Opaque) {
	if data := v.Get("encrypted_content").NonEmpty(); data != nil {
		o = transform.Opaque{Vendor: transform.VendorOpenAI, Kind: transform.OpaqueRedacted, Data: data}
		o.ID, _ = v.Get("id").Text()
	}
	return o
}

// readCall reads who is called, not with what.
func readCall(v jsonbytes.Value) (call transform.ToolCall) {
	call.Custom = v.Get("type").Is("custom_tool_call")
	call.Name, _ = v.Get("name").Text()
	if call.ID, _ = v.Get("call_id").Text(); call.ID == "" {
		call.ID, _ = v.Get("id").Text()
	}
	return call
}
