package responses

import (
	"github.com/caddyllm/llmproxy/internal/jsonbytes"
	"github.com/caddyllm/llmproxy/transform"
	"github.com/caddyllm/llmproxy/usage"
)

// Writers of output items and their parts. Texts are given as they stand
// between the quotes of a literal, ids as literals.

// The states of an item and of a response.
const (
	inProgress = "in_progress"
	completed  = "completed"
	incomplete = "incomplete"
	failed     = "failed"
)

// The prefixes of ids, by which OpenAI tells the kinds of items apart.
const (
	prefixResponse  = "resp_"
	prefixMessage   = "msg_"
	prefixReasoning = "rs_"
	prefixCall      = "fc_"
	prefixCustom    = "ctc_"
	prefixImage     = "ig_"
	// prefixOwnReasoning is of the reasoning that got its name here: no vendor's
	// ids begin so. See [Codec.Foreign].
	prefixOwnReasoning = prefixReasoning + "llmproxy_"
)

// maxTail is how much of a response's id goes into those of its items, which
// may not be longer than 64 bytes: the longest prefix and a number have room beside it.
const maxTail = 40

// tailOf is the part of a response's id that makes the ids of its items its
// own: equal answers get equal ids.
func tailOf(responseID string) string {
	tail := make([]byte, 0, len(responseID))
	for i := range len(responseID) {
		switch c := responseID[i]; {
		case '0' <= c && c <= '9', 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z':
			tail = append(tail, c)
		case c == '_':
			tail = tail[:0] // what stood before it is a prefix
		}
	}
	if len(tail) == 0 {
		return newTail()
	}
	return string(tail[max(0, len(tail)-maxTail):])
}

// appendItemID writes the id of output item number n as a literal.
func appendItemID(dst []byte, prefix, tail string, n int) []byte {
	dst = append(dst, '"')
	dst = append(dst, prefix...)
	dst = append(dst, tail...)
	dst = append(dst, '_')
	dst = appendInt(dst, int64(n))
	return append(dst, '"')
}

// appendMessage writes a message whose parts are written already.
func appendMessage(dst []byte, id []byte, status string, parts []byte) []byte {
	dst = append(dst, `{"id":`...)
	dst = append(dst, id...)
	dst = append(dst, `,"type":"message","status":"`...)
	dst = append(dst, status...)
	dst = append(dst, `","role":"assistant","content":[`...)
	dst = append(dst, parts...)
	return append(dst, `]}`...)
}

// appendOutputText writes a part whose annotations and logprobs are elements
// that are written already.
func appendOutputText(dst []byte, text, annotations, logprobs []byte) []byte {
	dst = append(dst, `{"type":"output_text","annotations":[`...)
	dst = append(dst, annotations...)
	dst = append(dst, `],"logprobs":[`...)
	dst = append(dst, logprobs...)
	dst = append(dst, `],"text":"`...)
	dst = append(dst, text...)
	return append(dst, `"}`...)
}

func appendRefusal(dst []byte, text []byte) []byte {
	dst = append(dst, `{"type":"refusal","refusal":"`...)
	dst = append(dst, text...)
	return append(dst, `"}`...)
}

func appendSummary(dst []byte, text []byte) []byte {
	dst = append(dst, `{"type":"summary_text","text":"`...)
	dst = append(dst, text...)
	return append(dst, `"}`...)
}

// appendReasoning writes what the model thought, with what stands for it.
func appendReasoning(dst []byte, id []byte, summary []byte, opaque *transform.Opaque) []byte {
	dst = append(dst, `{"id":`...)
	dst = append(dst, id...)
	dst = append(dst, `,"type":"reasoning","summary":[`...)
	dst = append(dst, summary...)
	dst = append(dst, ']')
	if opaque != nil && opaque.Kind != transform.OpaqueNone && len(opaque.Data) >= len(`""`) {
		dst = append(dst, `,"encrypted_content":`...)
		dst = append(dst, encryptedContent(opaque, id)...)
	}
	return append(dst, '}')
}

// encryptedContent is a piece as clients keep it: OpenAI's as it came if its
// item kept its name, any other sealed.
func encryptedContent(o *transform.Opaque, id []byte) transform.Literal {
	if o.Vendor == transform.VendorOpenAI && o.Kind == transform.OpaqueRedacted && jsonbytes.Value(id).Is(o.ID) {
		return o.Data
	}
	return o.Seal(transform.VendorOpenAI)
}

// appendCall writes a call, of a function or of a custom tool.
func appendCall(dst []byte, id []byte, status, namespace string, call *transform.ToolCall, arguments []byte) []byte {
	dst = append(dst, `{"id":`...)
	dst = append(dst, id...)
	if call.Custom {
		dst = append(dst, `,"type":"custom_tool_call","status":"`...)
	} else {
		dst = append(dst, `,"type":"function_call","status":"`...)
	}
	dst = append(dst, status...)
	dst = append(dst, `","call_id":`...)
	dst = jsonbytes.AppendString(dst, call.ID)
	dst = append(dst, `,"name":`...)
	dst = jsonbytes.AppendString(dst, call.Name)
	if namespace != "" {
		dst = append(dst, `,"namespace":`...)
		dst = jsonbytes.AppendString(dst, namespace)
	}
	if call.Custom {
		dst = append(dst, `,"input":"`...)
	} else {
		dst = append(dst, `,"arguments":"`...)
	}
	dst = append(dst, arguments...)
	return append(dst, `"}`...)
}

// logprobsOf are the elements of a Chat Completions logprobs object, without
// the brackets, nil if there are none.
func logprobsOf(v jsonbytes.Value) []byte {
	content := v.Get("content")
	if content.Kind() != jsonbytes.Array || content.Len() == 0 || jsonbytes.Check(content, 0) != nil {
		return nil
	}
	compact := jsonbytes.AppendCompact(make([]byte, 0, len(content)), content)
	return compact[1 : len(compact)-1]
}

func appendUsage(dst []byte, t usage.Tokens) []byte {
	dst = append(dst, `{"input_tokens":`...)
	dst = appendInt(dst, t.Input)
	dst = append(dst, `,"input_tokens_details":{"cached_tokens":`...)
	dst = appendInt(dst, t.CacheRead)
	dst = append(dst, `,"cache_write_tokens":`...)
	dst = appendInt(dst, t.CacheWrite)
	dst = append(dst, `},"output_tokens":`...)
	dst = appendInt(dst, t.Output)
	dst = append(dst, `,"output_tokens_details":{"reasoning_tokens":`...)
	dst = appendInt(dst, t.Reasoning)
	dst = append(dst, `},"total_tokens":`...)
	dst = appendInt(dst, t.Total())
	return append(dst, '}')
}
