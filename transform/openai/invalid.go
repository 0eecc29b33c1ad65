package openai

import (
	"errors"
	"strings"

	"github.com/caddyllm/llmproxy/internal/jsonbytes"
	"github.com/caddyllm/llmproxy/transform"
)

// Codes of errors that are the client's fault, in OpenAI's words.
const (
	codeInvalidType  = "invalid_type"
	codeInvalidValue = "invalid_value"
	codeMissing      = "missing_required_parameter"
	codeEmptyArray   = "empty_array"
)

// param spells a place as OpenAI does: messages[0].content[1].type.
func param(at transform.Path) string {
	var out strings.Builder
	for token := range strings.SplitSeq(strings.TrimPrefix(at.Pointer(), "/"), "/") {
		switch {
		case token != "" && strings.Trim(token, "0123456789") == "":
			out.WriteString("[" + token + "]")
		case out.Len() > 0:
			out.WriteString("." + token)
		default:
			out.WriteString(token)
		}
	}
	return out.String()
}

func badRequest(code string, at transform.Path, what string) *transform.Error {
	name := param(at)
	return &transform.Error{Kind: transform.ErrBadRequest, Code: code, Param: name, Message: "'" + name + "' " + what}
}

// wrongType says what a member must be; want is such as "a string".
func wrongType(at transform.Path, want string, got jsonbytes.Value) error {
	return badRequest(codeInvalidType, at, "must be "+want+", not "+kindName(got)+".")
}

func missing(at transform.Path) error {
	return badRequest(codeMissing, at, "is missing: it must be given.")
}

func kindName(v jsonbytes.Value) string {
	switch v.Kind() {
	case jsonbytes.Absent:
		return "missing"
	case jsonbytes.Null:
		return "null"
	case jsonbytes.Bool:
		return "a boolean"
	case jsonbytes.Number:
		return "a number"
	case jsonbytes.String:
		return "a string"
	case jsonbytes.Array:
		return "an array"
	case jsonbytes.Object:
		return "an object"
	}
	return "malformed"
}

// unique refuses an object two readers could understand differently.
func unique(v jsonbytes.Value, at transform.Path) error {
	err := v.Unique("")
	if err == nil {
		return nil
	}
	var twice *jsonbytes.DuplicateKeyError
	if errors.As(err, &twice) {
		pointer := at.Pointer() + twice.Pointer
		return &transform.Error{
			Kind: transform.ErrBadRequest, Code: "duplicate_key", Param: pointer,
			Message: "The key at " + pointer + " stands twice in one object: send it once.",
		}
	}
	var letters *jsonbytes.KeyCaseError
	if errors.As(err, &letters) {
		pointer := at.Pointer() + letters.Pointer
		return &transform.Error{
			Kind: transform.ErrBadRequest, Code: "invalid_key_case", Param: pointer,
			Message: "The key at " + pointer + " differs from another in letter case only: send one of them.",
		}
	}
	return err
}

// object returns an error unless v is an object whose keys are unique.
func object(v jsonbytes.Value, at transform.Path) error {
	if v.Kind() != jsonbytes.Object {
		return wrongType(at, "an object", v)
	}
	return unique(v, at)
}

func text(v jsonbytes.Value, at transform.Path) (string, error) {
	s, ok := v.Text()
	if !ok {
		return "", wrongType(at, "a string", v)
	}
	return s, nil
}

func literal(v jsonbytes.Value, at transform.Path) (transform.Literal, error) {
	if v.Kind() != jsonbytes.String {
		return nil, wrongType(at, "a string", v)
	}
	return transform.Literal(v), nil
}

func number(v jsonbytes.Value, at transform.Path) (jsonbytes.Value, error) {
	if v.Kind() != jsonbytes.Number {
		return nil, wrongType(at, "a number", v)
	}
	return v, nil
}

func integer(v jsonbytes.Value, at transform.Path) (int64, error) {
	n, ok := v.Int()
	if !ok {
		return 0, wrongType(at, "an integer", v)
	}
	return n, nil
}

func boolean(v jsonbytes.Value, at transform.Path) (bool, error) {
	b, ok := v.Bool()
	if !ok {
		return false, wrongType(at, "a boolean", v)
	}
	return b, nil
}
