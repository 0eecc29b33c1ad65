package openai

import (
	"errors"

	"github.com/caddyllm/llmproxy/internal/jsonbytes"
	"github.com/caddyllm/llmproxy/transform"
)

// Codes of errors that are the client's fault, in OpenAI's words.
const (
	CodeInvalidType  = "invalid_type"
	CodeInvalidValue = "invalid_value"
	CodeMissing      = "missing_required_parameter"
	CodeEmptyArray   = "empty_array"
)

// BadRequest names a place as OpenAI does and says what is wrong with it.
func BadRequest(code string, at transform.Path, what string) *transform.Error {
	name := at.Field()
	return &transform.Error{Kind: transform.ErrBadRequest, Code: code, Param: name, Message: "'" + name + "' " + what}
}

// WrongType says what a member must be; want is such as "a string".
func WrongType(at transform.Path, want string, got jsonbytes.Value) error {
	return BadRequest(CodeInvalidType, at, "must be "+want+", not "+kindName(got)+".")
}

// Missing says that a member must be given.
func Missing(at transform.Path) error {
	return BadRequest(CodeMissing, at, "is missing: it must be given.")
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

// Object returns an error unless v is an object whose keys are unique.
func Object(v jsonbytes.Value, at transform.Path) error {
	if v.Kind() != jsonbytes.Object {
		return WrongType(at, "an object", v)
	}
	return unique(v, at)
}

// Text reads a string.
func Text(v jsonbytes.Value, at transform.Path) (string, error) {
	s, ok := v.Text()
	if !ok {
		return "", WrongType(at, "a string", v)
	}
	return s, nil
}

// Literal reads a string as it is spelled.
func Literal(v jsonbytes.Value, at transform.Path) (transform.Literal, error) {
	if v.Kind() != jsonbytes.String {
		return nil, WrongType(at, "a string", v)
	}
	return transform.Literal(v), nil
}

// Number reads a number as it is spelled.
func Number(v jsonbytes.Value, at transform.Path) (jsonbytes.Value, error) {
	if v.Kind() != jsonbytes.Number {
		return nil, WrongType(at, "a number", v)
	}
	return v, nil
}

// Integer reads an integer.
func Integer(v jsonbytes.Value, at transform.Path) (int64, error) {
	n, ok := v.Int()
	if !ok {
		return 0, WrongType(at, "an integer", v)
	}
	return n, nil
}

// Boolean reads true or false.
func Boolean(v jsonbytes.Value, at transform.Path) (bool, error) {
	b, ok := v.Bool()
	if !ok {
		return false, WrongType(at, "a boolean", v)
	}
	return b, nil
}
