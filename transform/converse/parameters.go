package converse

import (
	"github.com/caddyllm/llmproxy/internal/jsonbytes"
	"github.com/caddyllm/llmproxy/transform"
	"github.com/caddyllm/llmproxy/transform/anthropic"
)

// parameters is everything beside the conversation.
type parameters struct {
	tools []tool
	// choice is the member of toolChoice: auto, any or tool; empty: left out.
	choice, chosen string
	// forced tells that a tool must be called, constrained that the answer has
	// a form, thinks that the model is told to think.
	forced, constrained, thinks bool

	maxTokens         int64
	temperature, topP jsonbytes.Value
	stop              jsonbytes.Value
	textFormat        []byte
	// additional are the members of additionalModelRequestFields.
	additional []transform.Member
}

// tool is one element of tools.
type tool struct {
	name                string
	description, schema jsonbytes.Value
	cache               *transform.CacheMark
}

// planParameters has the codec of the Messages format decide, for which it gets
// the request with no conversation in it, and reads its body. Losses are
// reported at once and in the client's terms.
func (e *encoder) planParameters() error {
	stub := *e.r
	stub.Turns = []transform.Turn{{Parts: []transform.Part{{Kind: transform.PartText, Text: transform.Quote(".")}}}}
	stub.User, stub.ServiceTier, stub.Rest = "", "", nil
	e.planExtras(&stub)
	e.planOutput(&stub)
	e.planForce(&stub)
	if !e.family.claude {
		stub.Reasoning, stub.Sampling.TopK = transform.Reasoning{}, nil
	}
	e.dropLongNames(&stub)
	to := transform.Target{Model: e.to.Model, Vendor: e.to.Vendor}
	body, err := anthropic.Codec{Cloud: true}.AppendRequest(nil, &stub, to, e.lost)
	if err != nil {
		return err
	}
	e.readBody(body)
	e.keepTools()
	if !e.family.claude {
		e.planTopK()
		e.planEffort()
	}
	return nil
}

// readBody takes over what the Messages format says.
func (e *encoder) readBody(body jsonbytes.Value) {
	p := &e.parameters
	var choice jsonbytes.Value
	for name, value := range body.Members() {
		switch string(name) {
		case "model", "messages":
		case "system": // how the answer is to be formed, in words
			for _, b := range value.Elements() {
				e.Instruct(b.Get("text"))
			}
		case "tools":
			e.readTools(value)
		case "tool_choice":
			choice = value
		case "max_tokens":
			e.readMaxTokens(value)
		case "temperature":
			p.temperature = value
		case "top_p":
			p.topP = value
		case "stop_sequences":
			p.stop = value
		default:
			e.add(string(name), value)
		}
	}
	e.readThinking(body.Get("thinking"))
	p.constrained = p.constrained || !body.Get("output_config").Get("format").Empty()
	e.readChoice(choice)
}

// add adds a member of additionalModelRequestFields.
func (e *encoder) add(name string, value jsonbytes.Value) {
	e.parameters.additional = append(e.parameters.additional, transform.Member{Name: name, Value: value})
}

// readMaxTokens leaves out what the client did not ask for: maxTokens is
// optional here, and Bedrock books it against the account's quota in advance.
func (e *encoder) readMaxTokens(value jsonbytes.Value) {
	if e.r.Sampling.MaxTokens <= 0 {
		return
	}
	if e.parameters.maxTokens, _ = value.Int(); !e.family.claude {
		e.parameters.maxTokens = e.r.Sampling.MaxTokens
	}
}

// readThinking makes sure that thinking by budget has room, and that it does
// not meet a turn that Claude would refuse to go on with.
func (e *encoder) readThinking(thinking jsonbytes.Value) {
	p := &e.parameters
	typ := thinking.Get("type")
	switch {
	case thinking.Empty() || typ.Is("disabled"):
		return
	case typ.Is("enabled") && e.UnsignedLoop():
		e.lost.Drop(e.r.At("reasoning_effort"))
		kept := p.additional[:0]
		for _, m := range p.additional {
			if m.Name != "thinking" {
				kept = append(kept, m)
			}
		}
		p.additional = kept
		return
	}
	p.thinks = true
	if budget, ok := thinking.Get("budget_tokens").Int(); ok && p.maxTokens == 0 {
		p.maxTokens = budget + answerRoom
	}
}

// answerRoom is what is left for the answer beside the thinking, where the
// client set no limit: maxTokens counts both.
const answerRoom = 8192

// planTopK places top_k, for which each family has its own member.
func (e *encoder) planTopK() {
	topK := e.r.Sampling.TopK
	switch {
	case topK.Empty():
	case e.family.topK == "":
		e.lost.Drop(e.r.At("top_k"))
	case e.family.topK == "inferenceConfig.topK":
		e.add("inferenceConfig", append(append([]byte(`{"topK":`), topK...), '}'))
	default:
		e.add(e.family.topK, topK)
	}
}

// writeParameters writes what is no part of the prompt.
func (e *encoder) writeParameters() {
	p := &e.parameters
	e.Key("inferenceConfig")
	e.Raw("{")
	if p.maxTokens > 0 {
		e.Key("maxTokens")
		e.Int(p.maxTokens)
	}
	e.Member("temperature", p.temperature)
	e.Member("topP", p.topP)
	e.Member("stopSequences", p.stop)
	e.Raw("}")
	if p.textFormat != nil {
		e.Key("outputConfig")
		e.Raw(`{"textFormat":`)
		e.Value(p.textFormat)
		e.Raw("}")
	}
	x := &e.extras
	if x.paths == nil && e.family.claude && !p.stop.Empty() {
		// Claude tells which stop sequence it met, if it is asked to.
		x.paths = jsonbytes.Value(`["/stop_sequence"]`)
		if e.to.Stream {
			x.paths = jsonbytes.Value(`["/delta/stop_sequence"]`)
		}
	}
	e.Member("additionalModelResponseFieldPaths", x.paths)
	if x.tier != "" {
		e.Key("serviceTier")
		e.Raw("{")
		e.Text("type", x.tier)
		e.Raw("}")
	}
	e.Member("guardrailConfig", x.guardrail)
	e.Member("performanceConfig", x.performance)
	e.Member("requestMetadata", x.metadata)
}

// writeAdditional writes what only the model knows. The client's own members
// come last, and only if they say something new.
func (e *encoder) writeAdditional() {
	p := &e.parameters
	if len(p.additional) == 0 && e.extras.additional.Len() == 0 {
		return
	}
	e.Key("additionalModelRequestFields")
	e.Raw("{")
	for _, m := range p.additional {
		e.Key(m.Name)
		e.Value(m.Value)
	}
	at := e.r.At("additionalModelRequestFields")
	for name, value := range e.extras.additional.Members() {
		if hasMember(p.additional, string(name)) {
			e.lost.Drop(at.Key(string(name)))
			continue
		}
		e.Comma()
		e.Bytes(name)
		e.Raw(":")
		e.Value(value)
	}
	e.Raw("}")
}

func hasMember(members []transform.Member, name string) bool {
	for i := range members {
		if members[i].Name == name {
			return true
		}
	}
	return false
}
