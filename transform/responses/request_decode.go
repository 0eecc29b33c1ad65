package responses

import (
	"github.com/caddyllm/llmproxy/internal/jsonbytes"
	"github.com/caddyllm/llmproxy/transform"
	"github.com/caddyllm/llmproxy/transform/openai"
)

// requestDecoder reads one request. Its methods return the first thing wrong.
type requestDecoder struct {
	r    *transform.Request
	lost *transform.Losses
	root transform.Path

	// tools by the id of the call that wants them, for the items that answer
	tools    map[string]string
	safetyID bool // safety_identifier was given, which wins over user
	options  int  // how many web searches became web_search_options
	names    toolNames
	hosted   []transform.Path // tools that only OpenAI runs
	stored   bool             // a part of the conversation lies with OpenAI
}

// DecodeRequest reads a Responses request. Top-level members that this format
// shares with no other are kept in Rest. Errors are *transform.Error with
// OpenAI's spelling of the place.
func (Codec) DecodeRequest(body []byte, lost *transform.Losses) (*transform.Request, error) {
	root := jsonbytes.Parse(body)
	d := &requestDecoder{r: new(transform.Request), lost: lost, tools: map[string]string{}}
	if root.Kind() != jsonbytes.Object {
		return nil, &transform.Error{Kind: transform.ErrBadRequest, Code: openai.CodeInvalidType, Message: "The body must be a JSON object."}
	}
	var input, instructions, choice jsonbytes.Value
	for key, value := range root.Members() {
		name := jsonbytes.Name(key)
		switch {
		case value.IsNull(): // the same as absent
		case name == "input":
			input = value
		case name == "instructions":
			instructions = value
		case name == "tool_choice":
			choice = value
		default:
			if err := d.member(name, value, d.root.Key(name)); err != nil {
				return nil, err
			}
		}
	}
	if d.r.Model == "" {
		return nil, openai.Missing(d.root.Key("model"))
	}
	if err := d.settleTools(input, choice); err != nil {
		return nil, err
	}
	if err := d.conversation(instructions, input); err != nil {
		return nil, err
	}
	// Usage comes with the last event of every stream.
	d.r.StreamUsage = d.r.Stream
	if d.r.TopLogprobs > 0 && !d.r.Logprobs {
		d.r.Logprobs = true
		d.r.Say("logprobs", d.root.Key("top_logprobs"))
	}
	return d.r, nil
}

// conversation reads the instructions, which come first, and the input.
func (d *requestDecoder) conversation(instructions, input jsonbytes.Value) error {
	if instructions != nil {
		at := d.root.Key("instructions")
		said, err := openai.Literal(instructions, at)
		if err != nil {
			return err
		}
		if said.HasText() {
			d.r.Turns = append(d.r.Turns, transform.Turn{
				Role: transform.RoleSystem, At: at, Parts: []transform.Part{{Kind: transform.PartText, Text: said, At: at}},
			})
		}
	}
	at := d.root.Key("input")
	switch input.Kind() {
	case jsonbytes.Absent:
		if !d.stored {
			return openai.Missing(at)
		}
	case jsonbytes.String:
		d.r.Turns = append(d.r.Turns, transform.Turn{
			Role: transform.RoleUser, At: at, Parts: []transform.Part{{Kind: transform.PartText, Text: input, At: at}},
		})
	case jsonbytes.Array:
		for i, v := range input.Elements() {
			if err := d.item(v, at.Index(i)); err != nil {
				return err
			}
		}
	default:
		return openai.WrongType(at, "a string or an array of items", input)
	}
	for i := range d.r.Turns {
		signCalls(&d.r.Turns[i])
	}
	if len(d.r.Turns) == 0 && !d.stored && len(d.lost.Refused) == 0 {
		return openai.BadRequest(openai.CodeEmptyArray, at, "must hold at least one item.")
	}
	return nil
}

// member reads a top-level member other than the conversation.
func (d *requestDecoder) member(name string, v jsonbytes.Value, at transform.Path) (err error) {
	r := d.r
	switch name {
	case "model":
		r.Model, err = openai.Text(v, at)
	case "tools":
		err = d.readTools(v, at)
	case "parallel_tool_calls":
		var parallel bool
		parallel, err = openai.Boolean(v, at)
		r.ParallelTools = &parallel
	case "text":
		err = d.text(v, at)
	case "reasoning":
		err = d.reasoning(v, at)
	case "include":
		err = d.include(v, at)
	case "stream":
		r.Stream, err = openai.Boolean(v, at)
	case "stream_options":
		err = d.streamOptions(v, at)
	case "service_tier":
		r.ServiceTier, err = openai.Text(v, at)
	case "safety_identifier":
		r.User, err = openai.Text(v, at)
		r.Say("user", at)
		d.safetyID = true
	case "user":
		var user string
		if user, err = openai.Text(v, at); !d.safetyID {
			r.User = user
		}
	default:
		return d.sampling(name, v, at)
	}
	return err
}

func (d *requestDecoder) sampling(name string, v jsonbytes.Value, at transform.Path) (err error) {
	s := &d.r.Sampling
	switch name {
	case "max_output_tokens":
		d.r.Say("max_tokens", at)
		s.MaxTokens, err = openai.Positive(v, at)
	case "temperature":
		s.Temperature, err = openai.Number(v, at)
	case "top_p":
		s.TopP, err = openai.Number(v, at)
	case "presence_penalty": // xAI, LM Studio
		s.PresencePenalty, err = openai.Number(v, at)
	case "frequency_penalty":
		s.FrequencyPenalty, err = openai.Number(v, at)
	case "top_logprobs":
		var n int64
		n, err = openai.Integer(v, at)
		d.r.TopLogprobs = int(min(max(n, 0), 1000))
	default:
		err = d.state(name, v, at)
	}
	return err
}

// state reads what asks OpenAI to keep something. Answers that come of a
// translation are kept by nobody, so that what only says no is already granted.
func (d *requestDecoder) state(name string, v jsonbytes.Value, at transform.Path) error {
	switch name {
	case "background":
		background, err := openai.Boolean(v, at)
		if background {
			d.lost.Refuse(at)
		}
		return err
	case "store":
		if store, ok := v.Bool(); ok && !store {
			return nil
		}
	case "truncation":
		if v.Is("disabled") {
			return nil
		}
	case "previous_response_id", "conversation", "prompt":
		d.stored = true
	}
	d.r.Rest = append(d.r.Rest, transform.Member{Name: name, Value: v})
	return nil
}

func (d *requestDecoder) streamOptions(v jsonbytes.Value, at transform.Path) error {
	return d.eachMember(v, at, func(name string, value jsonbytes.Value, here transform.Path) error {
		padded, ok := value.Bool()
		if name != "include_obfuscation" || !ok || padded {
			d.lost.Drop(here)
		}
		return nil
	})
}

// eachMember walks the members of an object that are not null.
func (d *requestDecoder) eachMember(v jsonbytes.Value, at transform.Path, read func(name string, value jsonbytes.Value, here transform.Path) error) error {
	if err := openai.Object(v, at); err != nil {
		return err
	}
	for key, value := range v.Members() {
		if value.IsNull() {
			continue
		}
		name := jsonbytes.Name(key)
		if err := read(name, value, at.Key(name)); err != nil {
			return err
		}
	}
	return nil
}

// text reads {format, verbosity}.
func (d *requestDecoder) text(v jsonbytes.Value, at transform.Path) error {
	return d.eachMember(v, at, func(name string, value jsonbytes.Value, here transform.Path) error {
		switch name {
		case "format":
			d.r.Say("response_format", here)
			return d.format(value, here)
		case "verbosity":
			d.r.Say(name, here)
			d.r.Rest = append(d.r.Rest, transform.Member{Name: name, Value: value})
		default:
			d.lost.Drop(here)
		}
		return nil
	})
}

// format reads {type} and, of json_schema, {name, schema, strict, description}.
func (d *requestDecoder) format(v jsonbytes.Value, at transform.Path) error {
	out := &d.r.Output
	kind := v.Get("type")
	switch {
	case kind.Is("text"):
		out.Kind = transform.OutputText
	case kind.Is("json_object"):
		out.Kind = transform.OutputJSON
	case kind.Is("json_schema"):
		out.Kind = transform.OutputSchema
	}
	err := d.eachMember(v, at, func(name string, value jsonbytes.Value, here transform.Path) (err error) {
		switch {
		case name == "type":
		case out.Kind != transform.OutputSchema:
			d.lost.Drop(here)
		case name == "name":
			out.Name, err = openai.Text(value, here)
		case name == "description":
			out.DescriptionAt = here
			out.Description, err = openai.Literal(value, here)
		case name == "schema":
			out.SchemaAt = here
			if out.Schema = value; value.Kind() != jsonbytes.Object {
				err = openai.WrongType(here, "an object", value)
			}
		case name == "strict":
			var strict bool
			strict, err = openai.Boolean(value, here)
			out.Strict = &strict
		default:
			d.lost.Drop(here)
		}
		return err
	})
	switch {
	case err != nil:
		return err
	case kind.Empty():
		return openai.Missing(at.Key("type"))
	case out.Kind == transform.OutputUnset:
		return openai.BadRequest(openai.CodeInvalidValue, at.Key("type"), "must be text, json_object or json_schema.")
	case out.Kind == transform.OutputSchema && out.Schema == nil:
		return openai.Missing(at.Key("schema"))
	}
	return nil
}

// reasoning reads {effort, summary}. Who does not ask for a summary sees none.
func (d *requestDecoder) reasoning(v jsonbytes.Value, at transform.Path) error {
	return d.eachMember(v, at, func(name string, value jsonbytes.Value, here transform.Path) (err error) {
		switch name {
		case "effort":
			d.r.Say("reasoning_effort", here)
			d.r.Reasoning.Effort, err = openai.Text(value, here)
		case "summary", "generate_summary": // auto, concise or detailed; the second is its old name
			var word string
			if word, err = openai.Text(value, here); word != "none" {
				d.r.Reasoning.Summary = true
			}
		default:
			d.lost.Drop(here)
		}
		return err
	})
}

// include reads what else the answer should hold. Encrypted reasoning always
// comes along.
func (d *requestDecoder) include(v jsonbytes.Value, at transform.Path) error {
	if v.Kind() != jsonbytes.Array {
		return openai.WrongType(at, "an array of strings", v)
	}
	for i, e := range v.Elements() {
		switch {
		case e.Is("reasoning.encrypted_content"):
		case e.Is("message.output_text.logprobs"):
			d.r.Logprobs = true
			d.r.Say("logprobs", at.Index(i))
		default:
			d.lost.Drop(at.Index(i))
		}
	}
	return nil
}
