package responses

import (
	"crypto/sha256"
	"encoding/hex"
	"strconv"

	"github.com/caddyllm/llmproxy/internal/jsonbytes"
	"github.com/caddyllm/llmproxy/transform"
	"github.com/caddyllm/llmproxy/transform/openai"
)

// requestEncoder writes one request. The same request gives the same bytes:
// providers cache prompts by their beginning.
type requestEncoder struct {
	jsonbytes.Writer
	r      *transform.Request
	to     transform.Target
	family openai.Family
	lost   *transform.Losses

	custom map[string]bool // the ids of calls to custom tools
	// thoughts wait for the item that they led to: without it they are refused.
	thoughts []*transform.Part
}

// AppendRequest writes a Responses request. Target.Vendor tells OpenAI itself,
// whose models refuse what they do not take, from servers that only resemble
// it. It does not fail: what cannot be carried is reported.
func (Codec) AppendRequest(dst []byte, r *transform.Request, to transform.Target, lost *transform.Losses) ([]byte, error) {
	e := newRequestEncoder(dst, r, to, lost)
	e.prompt()
	e.sampling()
	e.account()
	e.rest()
	e.include()
	if r.Leftover("store") == nil {
		e.Raw(`,"store":false`) // the default here, other than in any other format, is to keep answers
	}
	if to.Stream {
		e.Raw(`,"stream":true`)
	}
	e.Raw(`}`)
	return e.Out, nil
}

// AppendCountRequest writes what of a request is counted.
func (Codec) AppendCountRequest(dst []byte, r *transform.Request, to transform.Target, lost *transform.Losses) ([]byte, error) {
	e := newRequestEncoder(dst, r, to, lost)
	e.prompt()
	e.Raw(`}`)
	return e.Out, nil
}

func newRequestEncoder(dst []byte, r *transform.Request, to transform.Target, lost *transform.Losses) *requestEncoder {
	return &requestEncoder{Writer: jsonbytes.Writer{Out: dst}, r: r, to: to, family: openai.FamilyOf(to), lost: lost, custom: map[string]bool{}}
}

// prompt writes what the model sees.
func (e *requestEncoder) prompt() {
	e.Raw(`{"model":`)
	e.String(e.to.Model)
	e.conversation()
	e.tools()
	e.text()
	e.reasoning()
}

func (e *requestEncoder) drop(name string)   { e.lost.Drop(e.r.At(name)) }
func (e *requestEncoder) refuse(name string) { e.lost.Refuse(e.r.At(name)) }

// text writes {format, verbosity}.
func (e *requestEncoder) text() {
	verbosity := e.r.Leftover("verbosity")
	if !verbosity.Empty() && verbosity.Kind() != jsonbytes.String {
		e.drop("verbosity")
		verbosity = nil
	}
	format := e.r.Output.Kind == transform.OutputJSON || e.r.Output.Kind == transform.OutputSchema
	if !format && verbosity == nil {
		return
	}
	e.Raw(`,"text":{`)
	if format {
		e.Raw(`"format":`)
		e.Out = appendFormat(e.Out, &e.r.Output)
	}
	if verbosity != nil {
		if format {
			e.Raw(`,`)
		}
		e.Raw(`"verbosity":`)
		e.Value(verbosity)
	}
	e.Raw(`}`)
}

func appendFormat(dst []byte, out *transform.Output) []byte {
	switch out.Kind {
	case transform.OutputJSON:
		return append(dst, `{"type":"json_object"}`...)
	case transform.OutputSchema:
	default:
		return append(dst, `{"type":"text"}`...)
	}
	dst = append(dst, `{"type":"json_schema","name":`...)
	if out.Name == "" {
		dst = append(dst, `"response"`...)
	} else {
		dst = jsonbytes.AppendString(dst, out.Name)
	}
	if out.Description != nil {
		dst = append(dst, `,"description":`...)
		dst = append(dst, out.Description...)
	}
	dst = append(dst, `,"schema":`...)
	if out.Schema == nil {
		dst = append(dst, `{}`...)
	} else {
		dst = append(dst, out.Schema...)
	}
	if out.Strict != nil {
		dst = append(dst, `,"strict":`...)
		dst = strconv.AppendBool(dst, *out.Strict)
	}
	return append(dst, '}')
}

// reasoning writes {effort, summary}.
func (e *requestEncoder) reasoning() {
	wish := e.r.Reasoning.Effort
	if wish == "" && e.r.Reasoning.Budget > 0 {
		wish = openai.EffortOfBudget(e.r.Reasoning.Budget, e.r.Sampling.MaxTokens)
	}
	effort := e.family.Effort(wish)
	if wish != "" && effort == "" && wish != "none" {
		e.drop("reasoning_effort")
	}
	summary := e.r.Reasoning.Summary && (e.family.Reasons() || !e.family.OpenAI()) && effort != "none"
	if effort == "" && !summary {
		return
	}
	e.Raw(`,"reasoning":{`)
	if effort != "" {
		e.Text("effort", effort)
	}
	if summary {
		if effort != "" {
			e.Raw(`,`)
		}
		e.Raw(`"summary":"auto"`)
	}
	e.Raw(`}`)
}

// samples tells whether the model takes sampling parameters.
func (e *requestEncoder) samples() bool { return e.family.Samples(e.r.Reasoning.Effort) }

func (e *requestEncoder) sampling() {
	s := &e.r.Sampling
	const least = 16 // what OpenAI takes
	if s.MaxTokens > 0 {
		e.Key("max_output_tokens")
		e.Int(max(s.MaxTokens, least))
	}
	e.parameter("temperature", s.Temperature, !e.samples(), "1")
	e.parameter("top_p", s.TopP, !e.samples(), "1")
	e.parameter("frequency_penalty", s.FrequencyPenalty, e.to.Vendor == transform.VendorOpenAI, "0")
	e.parameter("presence_penalty", s.PresencePenalty, e.to.Vendor == transform.VendorOpenAI, "0")
	e.parameter("seed", s.Seed, true, "")
	e.parameter("top_k", s.TopK, true, "")
	if s.N > 1 {
		e.refuse("n")
	}
	if len(s.Stop) > 0 {
		e.drop("stop")
	}
	switch {
	case e.r.Logprobs && !e.samples():
		e.drop("logprobs")
		if e.r.TopLogprobs > 0 {
			e.drop("top_logprobs")
		}
	case e.r.Logprobs && e.r.TopLogprobs > 0:
		e.Key("top_logprobs")
		e.Int(int64(e.r.TopLogprobs))
	}
}

// parameter writes a number, or leaves it out where it is refused; what the
// default would do anyway is not lost.
func (e *requestEncoder) parameter(name string, v jsonbytes.Value, refused bool, usual string) {
	switch {
	case v == nil:
	case !refused:
		e.Raw(`,"` + name + `":`)
		e.Value(v)
	case string(v) != usual:
		e.drop(name)
	}
}

// include asks for what answers do not hold by themselves.
func (e *requestEncoder) include() {
	logprobs := e.r.Logprobs && e.samples()
	switch {
	case e.family.Reasons() && logprobs:
		e.Raw(`,"include":["reasoning.encrypted_content","message.output_text.logprobs"]`)
	case e.family.Reasons():
		e.Raw(`,"include":["reasoning.encrypted_content"]`)
	case logprobs:
		e.Raw(`,"include":["message.output_text.logprobs"]`)
	}
}

// account writes who asks and how fast it must go.
func (e *requestEncoder) account() {
	if user := e.r.User; user != "" {
		const most = 64 // OpenAI's limit for both
		if len(user) > most {
			sum := sha256.Sum256([]byte(user))
			user = hex.EncodeToString(sum[:])
		}
		if e.family.OpenAI() {
			e.Text("safety_identifier", user)
			if e.r.Leftover("prompt_cache_key") == nil {
				e.Text("prompt_cache_key", user)
			}
		} else {
			e.Text("user", user)
		}
	}
	switch tier := e.r.ServiceTier; {
	case tier == "":
	case e.family.OpenAI():
		e.Text("service_tier", tier)
	case tier != "auto" && tier != "default":
		e.drop("service_tier")
	}
}

// rest writes the members that this format shares with no other, or only with
// Chat Completions.
func (e *requestEncoder) rest() {
	for _, m := range e.r.Rest {
		if m.Name == "verbosity" || m.Name == "web_search_options" && (m.Value.Empty() || m.Value.Kind() == jsonbytes.Object) {
			continue // written elsewhere
		}
		if !knows(m) {
			e.r.Leave(&m, e.lost)
			continue
		}
		e.Raw(`,`)
		e.String(m.Name)
		e.Raw(`:`)
		e.Value(m.Value)
	}
}
