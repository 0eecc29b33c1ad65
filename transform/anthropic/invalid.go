package anthropic

import (
	"errors"
	"strings"

	"github.com/caddyllm/llmproxy/internal/jsonbytes"
	"github.com/caddyllm/llmproxy/transform"
)

// param spells a place as Anthropic does: messages.0.content.1.type.
func param(at transform.Path) string {
	return strings.ReplaceAll(strings.TrimPrefix(at.Pointer(), "/"), "/", ".")
}

// invalid is what is wrong with a client's request. The format's errors have
// no member for the place: it begins the message.
func invalid(at transform.Path, what string) *transform.Error {
	name := param(at)
	return &transform.Error{Kind: transform.ErrBadRequest, Param: name, Message: name + ": " + what}
}

// wrongType says what a member must be; want is such as "a string".
func wrongType(at transform.Path, want string) error {
	return invalid(at, "must be "+want)
}

func missing(at transform.Path) error {
	return invalid(at, "is missing: it must be given")
}

// object returns an error unless v is an object whose keys are unique: two
// readers could understand any other differently.
func object(v jsonbytes.Value, at transform.Path) error {
	if v.Kind() != jsonbytes.Object {
		return wrongType(at, "an object")
	}
	if err := v.Unique(""); err != nil {
		return clash(err, at)
	}
	return nil
}

// clash puts into words that two keys of an object may mean the same.
func clash(err error, at transform.Path) error {
	var twice *jsonbytes.DuplicateKeyError
	var letters *jsonbytes.KeyCaseError
	switch {
	case errors.As(err, &twice):
		pointer := at.Pointer() + twice.Pointer
		return &transform.Error{
			Kind: transform.ErrBadRequest, Code: "duplicate_key", Param: pointer,
			Message: "the key at " + pointer + " stands twice in one object: send it once",
		}
	case errors.As(err, &letters):
		pointer := at.Pointer() + letters.Pointer
		return &transform.Error{
			Kind: transform.ErrBadRequest, Code: "invalid_key_case", Param: pointer,
			Message: "the key at " + pointer + " differs from another in letter case only: send one of them",
		}
	}
	return wrongType(at, "an object with unique keys")
}

func stringOf(v jsonbytes.Value, at transform.Path) (string, error) {
	s, ok := v.Text()
	if !ok {
		return "", wrongType(at, "a string")
	}
	return s, nil
}

func literalOf(v jsonbytes.Value, at transform.Path) (transform.Literal, error) {
	if v.Kind() != jsonbytes.String {
		return nil, wrongType(at, "a string")
	}
	return v, nil
}

func numberOf(v jsonbytes.Value, at transform.Path) (jsonbytes.Value, error) {
	if v.Kind() != jsonbytes.Number {
		return nil, wrongType(at, "a number")
	}
	return v, nil
}

func positiveOf(v jsonbytes.Value, at transform.Path) (int64, error) {
	n, ok := v.Int()
	switch {
	case !ok:
		return 0, wrongType(at, "an integer")
	case n < 1:
		return 0, invalid(at, "must be at least 1")
	}
	return n, nil
}

func boolOf(v jsonbytes.Value, at transform.Path) (bool, error) {
	b, ok := v.Bool()
	if !ok {
		return false, wrongType(at, "a boolean")
	}
	return b, nil
}
