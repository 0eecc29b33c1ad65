package openai

import (
	"strings"

	"github.com/caddyllm/llmproxy/internal/jsonbytes"
	"github.com/caddyllm/llmproxy/transform"
	"github.com/caddyllm/llmproxy/usage"
)

// This file is what OpenAI's other format, Responses, shares with this one: the
// rules of its models, and how members of a request are read strictly.

// Codes of errors that are the client's fault.
const (
	CodeInvalidType  = codeInvalidType
	CodeInvalidValue = codeInvalidValue
	CodeEmptyArray   = codeEmptyArray
)

// Family is what OpenAI's API refuses of one model; of other providers' models
// it refuses nothing.
type Family struct{ f family }

// FamilyOf goes by the model's name, with or without a vendor before it as
// Amazon has it.
func FamilyOf(to transform.Target) Family {
	if at := strings.LastIndex(to.Model, "openai."); at >= 0 {
		to.Model = to.Model[at+len("openai."):]
	}
	return Family{familyOf(to)}
}

// OpenAI tells whether the API is OpenAI's own.
func (f Family) OpenAI() bool { return f.f.openAI }

// Reasons tells whether the model thinks.
func (f Family) Reasons() bool { return f.f.reasoning }

// Samples tells whether the model takes sampling parameters while it thinks
// with that effort.
func (f Family) Samples(effort string) bool {
	return !f.f.reasoning || f.f.sampling && effort == "none"
}

// Breakpoints tells whether the model takes prompt_cache_breakpoint.
func (f Family) Breakpoints() bool { return f.f.breakpoints }

// Effort is the nearest that the model knows, empty if it knows none.
func (f Family) Effort(wish string) string { return f.f.effort(wish) }

// EffortOfBudget turns a number of tokens to think with into a word.
func EffortOfBudget(budget, most int64) string { return effortOfBudget(budget, most) }

// ReadUsage reads counts in all spellings of OpenAI's formats.
func ReadUsage(v jsonbytes.Value) usage.Tokens { return readUsage(v) }

// BadRequest names a place as OpenAI does and says what is wrong with it.
func BadRequest(code string, at transform.Path, what string) *transform.Error {
	return badRequest(code, at, what)
}

// WrongType says what a member must be; want is such as "a string".
func WrongType(at transform.Path, want string, got jsonbytes.Value) error {
	return wrongType(at, want, got)
}

// Missing says that a member must be given.
func Missing(at transform.Path) error { return missing(at) }

// Object returns an error unless v is an object whose keys are unique.
func Object(v jsonbytes.Value, at transform.Path) error { return object(v, at) }

// Text reads a string.
func Text(v jsonbytes.Value, at transform.Path) (string, error) { return text(v, at) }

// Literal reads a string as it is spelled.
func Literal(v jsonbytes.Value, at transform.Path) (transform.Literal, error) { return literal(v, at) }

// Number reads a number as it is spelled.
func Number(v jsonbytes.Value, at transform.Path) (jsonbytes.Value, error) { return number(v, at) }

// Integer reads an integer.
func Integer(v jsonbytes.Value, at transform.Path) (int64, error) { return integer(v, at) }

// Positive reads an integer above 0.
func Positive(v jsonbytes.Value, at transform.Path) (int64, error) { return positive(v, at) }

// Boolean reads true or false.
func Boolean(v jsonbytes.Value, at transform.Path) (bool, error) { return boolean(v, at) }

// Arguments reads the arguments of a call, nil if they are of the wrong type.
func Arguments(v jsonbytes.Value) []byte { return callArguments(v) }

// Source reads a URL that may be a data URI.
func Source(m *transform.Media, v jsonbytes.Value, at transform.Path) error { return source(m, v, at) }

// Data reads base64 that may be wrapped in a data URI, or a URL in its place.
func Data(m *transform.Media, v jsonbytes.Value, at transform.Path) error { return data(m, v, at) }

// AppendSource writes data as a data URI, or the URL.
func AppendSource(dst []byte, m *transform.Media) []byte { return appendSource(dst, m) }

// TextOfFile turns a file of text into the text itself.
func TextOfFile(part *transform.Part) bool { return textOfFile(part) }

// IsCacheMark tells whether a member asks for caching.
func IsCacheMark(name string) bool { return isCacheMark(name) }
