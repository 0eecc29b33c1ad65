package anthropic

import (
	"github.com/caddyllm/llmproxy/internal/jsonbytes"
	"github.com/caddyllm/llmproxy/transform"
)

// DecodeRequest reads the body of POST /v1/messages. Top-level members that
// this format shares with no other are kept in Rest. Errors are
// *transform.Error with Anthropic's spelling of the place.
func (Codec) DecodeRequest(body []byte, lost *transform.Losses) (*transform.Request, error) {
	return decodeRequest(body, lost, false)
}

// DecodeCountRequest reads the body of POST /v1/messages/count_tokens, which
// has no max_tokens.
func (Codec) DecodeCountRequest(body []byte, lost *transform.Losses) (*transform.Request, error) {
	return decodeRequest(body, lost, true)
}

// requestDecoder reads one request. Its methods return the first thing wrong.
type requestDecoder struct {
	r    *transform.Request
	lost *transform.Losses

	// tools by the id of the call that wants them, for the results.
	tools map[string]string
	// search is what became of the web search tool that stood at searchAt.
	search   jsonbytes.Value
	searchAt transform.Path
	// hosted are the tools that only Anthropic runs.
	hosted []transform.Path
	// format tells that output_config has a format, which wins over output_format.
	format bool
}

func decodeRequest(body []byte, lost *transform.Losses, count bool) (*transform.Request, error) {
	members := jsonbytes.Parse(body)
	if members.Kind() != jsonbytes.Object {
		return nil, &transform.Error{Kind: transform.ErrBadRequest, Message: "the body must be a JSON object"}
	}
	d := &requestDecoder{r: new(transform.Request), lost: lost, tools: map[string]string{}}
	var system, messages jsonbytes.Value
	for key, value := range members.Members() {
		if value.IsNull() {
			continue // the same as absent
		}
		switch name := jsonbytes.Name(key); name {
		case "system":
			system = value
		case "messages":
			messages = value
		default:
			if err := d.member(name, value, root.Key(name)); err != nil {
				return nil, err
			}
		}
	}
	switch {
	case d.r.Model == "":
		return nil, invalid(root.Key("model"), "is missing: name the model that is to answer")
	case d.r.Sampling.MaxTokens == 0 && !count:
		return nil, invalid(root.Key("max_tokens"), "is missing: say how many tokens the answer may have at most")
	}
	if err := d.system(system); err != nil {
		return nil, err
	}
	if err := d.messages(messages); err != nil {
		return nil, err
	}
	d.settle()
	return d.r, nil
}

// settle decides what depends on several members.
func (d *requestDecoder) settle() {
	r := d.r
	r.StreamUsage = r.Stream // clients of this format are always told
	if d.search != nil {
		if r.Leftover("web_search_options") != nil {
			d.lost.Refuse(d.searchAt)
		} else {
			r.Say("web_search_options", d.searchAt)
			r.Rest = append(r.Rest, transform.Member{Name: "web_search_options", Value: d.search, Offered: true})
		}
	}
	for _, at := range d.hosted {
		if r.Spares() {
			d.lost.Drop(at)
		} else {
			d.lost.Refuse(at)
		}
	}
	settleReasoning(r)
}

// member reads a top-level member other than system and messages.
func (d *requestDecoder) member(name string, v jsonbytes.Value, at transform.Path) (err error) {
	r := d.r
	s := &r.Sampling
	switch name {
	case "model":
		r.Model, err = stringOf(v, at)
	case "max_tokens":
		s.MaxTokens, err = positiveOf(v, at)
	case "temperature":
		s.Temperature, err = numberOf(v, at)
	case "top_p":
		s.TopP, err = numberOf(v, at)
	case "top_k":
		s.TopK, err = numberOf(v, at)
	case "stop_sequences":
		r.Say("stop", at)
		s.Stop, err = stopSequences(v, at)
	case "stream":
		r.Stream, err = boolOf(v, at)
	case "tools":
		err = d.readTools(v, at)
	case "tool_choice":
		err = d.toolChoice(v, at)
	case "thinking":
		err = d.thinking(v, at)
	case "output_config":
		err = d.outputConfig(v, at)
	case "output_format": // where output_config.format was in the beta
		if !d.format {
			err = d.outputFormat(v, at)
		}
	case "metadata":
		err = d.metadata(v, at)
	case "service_tier":
		r.ServiceTier, err = tierOf(v, at)
	case "anthropic_version":
		// Bedrock and Vertex have in the body what is a header elsewhere.
		_, err = stringOf(v, at)
	default:
		d.rest(name, v)
	}
	return err
}

func (d *requestDecoder) rest(name string, v jsonbytes.Value) {
	d.r.Rest = append(d.r.Rest, transform.Member{Name: name, Value: v})
}

// eachMember walks an object and reports the members that take does not take.
// Members that are null are as good as absent.
func (d *requestDecoder) eachMember(v jsonbytes.Value, at *transform.Path, take func(name string, v jsonbytes.Value, at transform.Path) (bool, error)) error {
	if err := object(v, *at); err != nil {
		return err
	}
	for key, value := range v.Members() {
		if value.IsNull() {
			continue
		}
		name := jsonbytes.Name(key)
		here := at.Key(name)
		taken, err := take(name, value, here)
		if err != nil {
			return err
		}
		if !taken {
			d.lost.Drop(here)
		}
	}
	return nil
}

func stopSequences(v jsonbytes.Value, at transform.Path) ([]transform.Literal, error) {
	if v.Kind() != jsonbytes.Array {
		return nil, wrongType(at, "an array of strings")
	}
	var list []transform.Literal
	for i, e := range v.Elements() {
		stop, err := literalOf(e, at.Index(i))
		if err != nil {
			return nil, err
		}
		list = append(list, stop)
	}
	return list, nil
}

func (d *requestDecoder) metadata(v jsonbytes.Value, at transform.Path) error {
	return d.eachMember(v, &at, func(name string, v jsonbytes.Value, at transform.Path) (ok bool, err error) {
		if name == "user_id" {
			d.r.Say("user", at)
			d.r.User, err = stringOf(v, at)
			return true, err
		}
		return false, nil
	})
}

// tierOf is OpenAI's word for a service tier.
func tierOf(v jsonbytes.Value, at transform.Path) (string, error) {
	if v.Is("standard_only") {
		return "default", nil
	}
	return stringOf(v, at)
}

// readMark reads a cache_control, {type, ttl}.
func (d *requestDecoder) readMark(mark **transform.CacheMark, v jsonbytes.Value, at transform.Path) error {
	m, known := &transform.CacheMark{At: at}, true
	err := d.eachMember(v, &at, func(name string, v jsonbytes.Value, at transform.Path) (ok bool, err error) {
		switch name {
		case "type":
			known = v.Is("ephemeral")
		case "ttl":
			m.TTL, err = stringOf(v, at)
		default:
			return false, nil
		}
		return known, err
	})
	if known && err == nil {
		*mark = m
	}
	return err
}
