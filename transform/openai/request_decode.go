package openai

import (
	"github.com/caddyllm/llmproxy/internal/jsonbytes"
	"github.com/caddyllm/llmproxy/transform"
)

// requestDecoder reads one request. Its methods return the first thing wrong.
type requestDecoder struct {
	r    *transform.Request
	lost *transform.Losses
	root transform.Path

	// tools by the id of the call that wants them, for the turns that answer
	tools map[string]string
	// left is how many messages are still to come, at most, and parts is room for theirs
	left  int
	parts []transform.Part
	// lastCall is the id made for the last call in the old form, which has none
	lastCall string

	maxTokens int64  // the old name of max_completion_tokens
	effort    string // reasoning_effort, which wins over reasoning.effort
	effortAt  string // the member of reasoning that says how much
	hidden    bool   // the reasoning is not wanted
	safetyID  bool   // safety_identifier was given, which wins over user
}

// DecodeRequest reads a Chat Completions request. Members that this format
// shares with no other are kept in Rest. Errors are *transform.Error with
// OpenAI's spelling of the place.
func (Codec) DecodeRequest(body []byte, lost *transform.Losses) (*transform.Request, error) {
	root := jsonbytes.Parse(body)
	if root.Kind() != jsonbytes.Object {
		return nil, &transform.Error{Kind: transform.ErrBadRequest, Code: CodeInvalidType, Message: "The body must be a JSON object."}
	}
	d := &requestDecoder{r: new(transform.Request), lost: lost}
	var messages jsonbytes.Value
	for key, value := range root.Members() {
		name := jsonbytes.Name(key)
		if value.IsNull() {
			continue // the same as absent
		}
		if name == "messages" {
			messages = value
			continue
		}
		if err := d.member(name, value, d.root.Key(name)); err != nil {
			return nil, err
		}
	}
	if d.r.Model == "" {
		return nil, Missing(d.root.Key("model"))
	}
	if err := d.messages(messages); err != nil {
		return nil, err
	}
	d.settle()
	return d.r, nil
}

// settle decides between members that say the same thing.
func (d *requestDecoder) settle() {
	r := d.r
	if r.Sampling.MaxTokens == 0 {
		r.Sampling.MaxTokens = d.maxTokens
	}
	switch {
	case d.effort != "":
		r.Reasoning.Effort = d.effort
	case d.effortAt != "":
		at := d.root.Key("reasoning")
		r.Say("reasoning_effort", at.Key(d.effortAt))
	}
	if !r.Logprobs && r.TopLogprobs > 0 {
		r.Say("logprobs", d.root.Key("top_logprobs"))
	}
	// Chat Completions has no word for it: who asks for reasoning may see it.
	asked := r.Reasoning.Effort != "" && r.Reasoning.Effort != "none" || r.Reasoning.Budget > 0
	r.Reasoning.Summary = asked && !d.hidden
	r.Logprobs = r.Logprobs || r.TopLogprobs > 0
}

// member reads a top-level member other than messages.
func (d *requestDecoder) member(name string, v jsonbytes.Value, at transform.Path) (err error) {
	r := d.r
	switch name {
	case "model":
		r.Model, err = Text(v, at)
	case "tools":
		err = d.readTools(v, at)
	case "functions":
		r.Say("tools", at)
		err = d.functions(v, at)
	case "tool_choice":
		r.ToolChoice, err = d.toolChoice(v, at)
	case "function_call":
		r.Say("tool_choice", at)
		r.ToolChoice, err = d.toolChoice(v, at)
	case "parallel_tool_calls":
		var parallel bool
		parallel, err = Boolean(v, at)
		r.ParallelTools = &parallel
	case "response_format":
		r.Output, err = d.output(v, at)
	case "stream":
		r.Stream, err = Boolean(v, at)
	case "stream_options":
		err = d.streamOptions(v, at)
	case "service_tier":
		r.ServiceTier, err = Text(v, at)
	case "safety_identifier":
		r.User, err = Text(v, at)
		r.Say("user", at)
		d.safetyID = true
	case "user":
		var user string
		if user, err = Text(v, at); !d.safetyID {
			r.User = user
		}
	case "reasoning_effort":
		d.effort, err = Text(v, at)
	case "reasoning":
		err = d.reasoning(v, at)
	default:
		return d.sampling(name, v, at)
	}
	return err
}

func (d *requestDecoder) sampling(name string, v jsonbytes.Value, at transform.Path) (err error) {
	s := &d.r.Sampling
	switch name {
	case "max_completion_tokens":
		s.MaxTokens, err = Positive(v, at)
		d.r.Say("max_tokens", at)
	case "max_tokens":
		d.maxTokens, err = Positive(v, at)
	case "temperature":
		s.Temperature, err = Number(v, at)
	case "top_p":
		s.TopP, err = Number(v, at)
	case "top_k":
		s.TopK, err = Number(v, at)
	case "seed":
		s.Seed, err = Number(v, at)
	case "presence_penalty":
		s.PresencePenalty, err = Number(v, at)
	case "frequency_penalty":
		s.FrequencyPenalty, err = Number(v, at)
	case "stop":
		s.Stop, err = stops(v, at)
	case "n":
		s.N, err = Positive(v, at)
	case "logprobs":
		d.r.Logprobs, err = Boolean(v, at)
	case "top_logprobs":
		var n int64
		n, err = Integer(v, at)
		d.r.TopLogprobs = int(min(max(n, 0), 1000))
	case "modalities":
		if m := (transform.Member{Name: name, Value: v}); m.Essential() {
			d.rest(name, v)
		}
	default:
		d.rest(name, v)
	}
	return err
}

func (d *requestDecoder) rest(name string, v jsonbytes.Value) {
	d.r.Rest = append(d.r.Rest, transform.Member{Name: name, Value: v})
}

// Positive reads an integer above 0.
func Positive(v jsonbytes.Value, at transform.Path) (int64, error) {
	n, err := Integer(v, at)
	if err == nil && n < 1 {
		err = BadRequest(CodeInvalidValue, at, "must be at least 1.")
	}
	return n, err
}

// stops reads one string or several.
func stops(v jsonbytes.Value, at transform.Path) ([]transform.Literal, error) {
	switch v.Kind() {
	case jsonbytes.String:
		return []transform.Literal{v}, nil
	case jsonbytes.Array:
		var list []transform.Literal
		for i, e := range v.Elements() {
			stop, err := Literal(e, at.Index(i))
			if err != nil {
				return nil, err
			}
			list = append(list, stop)
		}
		return list, nil
	}
	return nil, WrongType(at, "a string or an array of strings", v)
}

func (d *requestDecoder) streamOptions(v jsonbytes.Value, at transform.Path) (err error) {
	if err := Object(v, at); err != nil {
		return err
	}
	for key, value := range v.Members() {
		switch name := jsonbytes.Name(key); {
		case value.IsNull():
		case name == "include_usage":
			if d.r.StreamUsage, err = Boolean(value, at.Key(name)); err != nil {
				return err
			}
		default:
			d.lost.Drop(at.Key(name))
		}
	}
	return nil
}

// reasoning reads OpenRouter's form, {effort, max_tokens, exclude, enabled},
// which other gateways took over.
func (d *requestDecoder) reasoning(v jsonbytes.Value, at transform.Path) (err error) {
	if err := Object(v, at); err != nil {
		return err
	}
	wish := &d.r.Reasoning
	for key, value := range v.Members() {
		name := jsonbytes.Name(key)
		here := at.Key(name)
		if value.IsNull() {
			continue
		}
		switch name {
		case "effort":
			wish.Effort, err = Text(value, here)
			d.effortAt = name
		case "max_tokens":
			if wish.Budget, err = Positive(value, here); d.effortAt != "effort" {
				d.effortAt = name
			}
		case "exclude":
			d.hidden, err = Boolean(value, here)
		case "enabled":
			var on bool
			on, err = Boolean(value, here)
			if d.effortAt == "" {
				d.effortAt = name
			}
			switch {
			case wish.Effort != "":
			case on:
				wish.Effort = "medium" // what OpenRouter takes it for
			default:
				wish.Effort = "none"
			}
		default:
			d.lost.Drop(here)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// output reads response_format.
func (d *requestDecoder) output(v jsonbytes.Value, at transform.Path) (out transform.Output, err error) {
	if err = Object(v, at); err != nil {
		return out, err
	}
	kind := at.Key("type")
	switch v := v.Get("type"); {
	case v.Is("text"):
		out.Kind = transform.OutputText
	case v.Is("json_object"):
		out.Kind = transform.OutputJSON
	case v.Is("json_schema"):
		out.Kind = transform.OutputSchema
	case v.Empty():
		return out, Missing(kind)
	case v.Kind() == jsonbytes.String:
		return out, BadRequest(CodeInvalidValue, kind, "must be text, json_object or json_schema.")
	default:
		return out, WrongType(kind, "a string", v)
	}
	for key, value := range v.Members() {
		name := jsonbytes.Name(key)
		here := at.Key(name)
		switch {
		case name == "type" || value.IsNull():
		case name == "json_schema" && out.Kind == transform.OutputSchema:
			if err = d.schema(&out, value, here); err != nil {
				return out, err
			}
		default:
			d.lost.Drop(here)
		}
	}
	if out.Kind == transform.OutputSchema && v.Get("json_schema").Empty() {
		return out, Missing(at.Key("json_schema"))
	}
	return out, nil
}

func (d *requestDecoder) schema(out *transform.Output, v jsonbytes.Value, at transform.Path) (err error) {
	if err = Object(v, at); err != nil {
		return err
	}
	for key, value := range v.Members() {
		name := jsonbytes.Name(key)
		here := at.Key(name)
		if value.IsNull() {
			continue
		}
		switch name {
		case "name":
			out.Name, err = Text(value, here)
		case "description":
			out.Description, err = Literal(value, here)
			out.DescriptionAt = at.Key(name)
		case "schema":
			out.SchemaAt = at.Key(name)
			if out.Schema = value; value.Kind() != jsonbytes.Object {
				err = WrongType(here, "an object", value)
			}
		case "strict":
			var strict bool
			strict, err = Boolean(value, here)
			out.Strict = &strict
		default:
			d.lost.Drop(here)
		}
		if err != nil {
			return err
		}
	}
	return nil
}
