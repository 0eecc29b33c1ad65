package responses

import (
	"time"

	"github.com/caddyllm/llmproxy/internal/jsonbytes"
	"github.com/caddyllm/llmproxy/transform"
	"github.com/caddyllm/llmproxy/usage"
)

// envelope is what a response says besides its output and its usage. In a
// stream it is written several times.
type envelope struct {
	id      string
	tail    string // of the items' ids
	created int64
	tier    string
	echo    []byte // what it repeats of the request, and the model
}

// newEnvelope settles who answers; r may be nil.
func newEnvelope(id, model, tier string, created int64, r *transform.Request) envelope {
	if id == "" {
		id = prefixResponse + newTail()
	}
	if created == 0 {
		created = time.Now().Unix()
	}
	if model == "" && r != nil {
		model = r.Model
	}
	return envelope{id: id, tail: tailOf(id), created: created, tier: tier, echo: appendEcho(nil, model, r)}
}

// ending is how a response ended.
type ending struct {
	status string
	reason string // of incomplete ones
	err    *transform.Error
}

func endingOf(finish transform.Finish) ending {
	switch finish {
	case transform.FinishLength:
		return ending{status: incomplete, reason: "max_output_tokens"}
	case transform.FinishContentFilter:
		return ending{status: incomplete, reason: "content_filter"}
	}
	return ending{status: completed}
}

// open writes a response up to the inside of its output, close the rest.
func (v *envelope) open(dst []byte, end ending) []byte {
	dst = append(dst, `{"id":`...)
	dst = jsonbytes.AppendString(dst, v.id)
	dst = append(dst, `,"object":"response","created_at":`...)
	dst = appendInt(dst, v.created)
	dst = append(dst, `,"status":"`...)
	dst = append(dst, end.status...)
	dst = append(dst, `","background":false,"completed_at":`...)
	if end.status == completed {
		dst = appendInt(dst, max(time.Now().Unix(), v.created))
	} else {
		dst = append(dst, `null`...)
	}
	dst = append(dst, `,"error":`...)
	if end.err != nil {
		dst = appendFailure(dst, end.err)
	} else {
		dst = append(dst, `null`...)
	}
	dst = append(dst, `,"incomplete_details":`...)
	if end.reason != "" {
		dst = append(dst, `{"reason":"`...)
		dst = append(dst, end.reason...)
		dst = append(dst, `"}`...)
	} else {
		dst = append(dst, `null`...)
	}
	dst = append(dst, v.echo...)
	dst = append(dst, `,"service_tier":`...)
	if v.tier == "" {
		dst = append(dst, `"default"`...)
	} else {
		dst = jsonbytes.AppendString(dst, v.tier)
	}
	return append(dst, `,"output":[`...)
}

func (v *envelope) close(dst []byte, counts *usage.Tokens) []byte {
	dst = append(dst, `],"usage":`...)
	if counts == nil {
		return append(dst, `null}`...)
	}
	dst = appendUsage(dst, *counts)
	return append(dst, '}')
}

// appendEcho writes what a response repeats of its request, which SDKs require.
func appendEcho(dst []byte, model string, r *transform.Request) []byte {
	if r == nil {
		r = new(transform.Request)
	}
	dst = append(dst, `,"model":`...)
	dst = jsonbytes.AppendString(dst, model)
	dst = append(dst, `,"instructions":`...)
	dst = appendOrNull(dst, instructionsOf(r))
	dst = append(dst, `,"max_output_tokens":`...)
	if n := r.Sampling.MaxTokens; n > 0 {
		dst = appendInt(dst, n)
	} else {
		dst = append(dst, `null`...)
	}
	dst = append(dst, `,"max_tool_calls":null,"metadata":`...)
	if metadata := r.Leftover("metadata"); metadata.Kind() == jsonbytes.Object {
		dst = append(dst, metadata...)
	} else {
		dst = append(dst, `{}`...)
	}
	dst = append(dst, `,"parallel_tool_calls":`...)
	if r.ParallelTools != nil && !*r.ParallelTools {
		dst = append(dst, `false`...)
	} else {
		dst = append(dst, `true`...)
	}
	dst = append(dst, `,"previous_response_id":null,"prompt_cache_key":`...)
	dst = appendOrNull(dst, r.Leftover("prompt_cache_key"))
	dst = append(dst, `,"reasoning":{"effort":`...)
	if r.Reasoning.Effort != "" {
		dst = jsonbytes.AppendString(dst, r.Reasoning.Effort)
	} else {
		dst = append(dst, `null`...)
	}
	dst = append(dst, `,"summary":`...)
	if r.Reasoning.Summary {
		dst = append(dst, `"auto"`...)
	} else {
		dst = append(dst, `null`...)
	}
	dst = append(dst, `},"safety_identifier":null,"store":false,"temperature":`...)
	dst = appendOrNull(dst, r.Sampling.Temperature)
	dst = append(dst, `,"text":{"format":`...)
	dst = appendFormat(dst, &r.Output)
	if verbosity := r.Leftover("verbosity"); verbosity != nil {
		dst = append(dst, `,"verbosity":`...)
		dst = append(dst, verbosity...)
	}
	dst = append(dst, '}')
	dst = appendEchoOfTools(dst, r)
	dst = append(dst, `,"top_logprobs":`...)
	dst = appendInt(dst, int64(r.TopLogprobs))
	dst = append(dst, `,"top_p":`...)
	dst = appendOrNull(dst, r.Sampling.TopP)
	dst = append(dst, `,"truncation":"disabled","user":`...)
	if r.User != "" {
		return jsonbytes.AppendString(dst, r.User)
	}
	return append(dst, `null`...)
}

func appendEchoOfTools(dst []byte, r *transform.Request) []byte {
	dst = append(dst, `,"tool_choice":`...)
	if r.ToolChoice.Mode == transform.ToolsUnset {
		dst = append(dst, `"auto"`...)
	} else {
		dst = appendToolChoice(dst, &r.ToolChoice, r)
	}
	dst = append(dst, `,"tools":[`...)
	for i := range r.Tools {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = appendTool(dst, &r.Tools[i])
	}
	if r.Leftover("web_search_options") != nil {
		if len(r.Tools) > 0 {
			dst = append(dst, ',')
		}
		dst = append(dst, `{"type":"web_search"}`...)
	}
	return append(dst, ']')
}

// instructionsOf is what the client gave as instructions, nil if it gave none.
func instructionsOf(r *transform.Request) jsonbytes.Value {
	if len(r.Turns) == 0 || len(r.Turns[0].Parts) == 0 || r.Turns[0].Role != transform.RoleSystem || r.Turns[0].At.Pointer() != "/instructions" {
		return nil
	}
	return r.Turns[0].Parts[0].Text
}

func appendOrNull(dst []byte, v jsonbytes.Value) []byte {
	if len(v) == 0 {
		return append(dst, `null`...)
	}
	return append(dst, v...)
}
