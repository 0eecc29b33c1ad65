package gemini

import (
	"crypto/rand"

	"github.com/caddyllm/llmproxy/internal/jsonbytes"
	"github.com/caddyllm/llmproxy/transform"
)

// commaAfter separates from the element or member before, if there is one.
func commaAfter(dst []byte) []byte {
	if c := dst[len(dst)-1]; c != '[' && c != '{' {
		return append(dst, ',')
	}
	return dst
}

// appendTextPart writes a text or a thought. signature is sealed, nil if there is none.
func appendTextPart(dst []byte, text transform.Literal, thought bool, signature transform.Literal) []byte {
	dst = commaAfter(dst)
	dst = append(dst, `{"text":`...)
	if !text.HasText() {
		text = transform.Literal(`""`)
	}
	dst = append(dst, text...)
	if thought {
		dst = append(dst, `,"thought":true`...)
	}
	return append(appendSignature(dst, signature), '}')
}

func appendSignature(dst []byte, signature transform.Literal) []byte {
	if signature == nil {
		return dst
	}
	return append(append(dst, `,"thoughtSignature":`...), signature...)
}

// appendCallPart writes a call, whose arguments are an object or empty.
func appendCallPart(dst []byte, id, name string, arguments jsonbytes.Value, signature transform.Literal) []byte {
	dst = commaAfter(dst)
	dst = append(dst, `{"functionCall":{`...)
	if id != "" {
		dst = append(dst, `"id":`...)
		dst = append(jsonbytes.AppendString(dst, id), ',')
	}
	dst = append(dst, `"name":`...)
	dst = jsonbytes.AppendString(dst, name)
	dst = append(dst, `,"args":`...)
	if arguments == nil {
		dst = append(dst, "{}"...)
	} else {
		dst = jsonbytes.AppendCompact(dst, arguments)
	}
	dst = append(dst, '}')
	return append(appendSignature(dst, signature), '}')
}

// deepestArguments keeps a call readable for those who bound the depth of a
// whole answer or request at 64.
const deepestArguments = 56

// callArguments reads a call's arguments, nil if there are none; ok is false if
// they are no object, such as what a model that was cut short left.
func callArguments(text []byte) (arguments jsonbytes.Value, ok bool) {
	v := jsonbytes.Parse(text)
	if v == nil || v.IsNull() {
		return nil, true
	}
	if v.Kind() != jsonbytes.Object || jsonbytes.Check(v, deepestArguments) != nil {
		return nil, false
	}
	return v, true
}

// seal is what vouches for something as clients of this format keep it, nil if
// there is nothing.
func seal(o *transform.Opaque) transform.Literal {
	if o.Kind == transform.OpaqueNone || !o.Data.HasText() {
		return nil
	}
	return o.Seal(home)
}

// finishWord is the reason of an end. broken tells of a call whose arguments
// cannot be read: the model was cut short, or it wrote what is no call.
func finishWord(f transform.Finish, refused, broken bool) string {
	switch {
	case f == transform.FinishContentFilter, refused && f != transform.FinishLength:
		return "SAFETY"
	case f == transform.FinishLength, broken && f == transform.FinishUnknown:
		return "MAX_TOKENS"
	case broken:
		return "MALFORMED_FUNCTION_CALL"
	}
	return "STOP"
}

// newResponseID names an answer that its provider left without a name.
func newResponseID() string { return rand.Text()[:22] }

func orModel(model string, r *transform.Request) string {
	if model == "" && r != nil {
		return r.Model
	}
	return model
}
