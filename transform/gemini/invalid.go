package gemini

import (
	"errors"
	"strings"

	"github.com/caddyllm/llmproxy/internal/jsonbytes"
	"github.com/caddyllm/llmproxy/transform"
)

func badRequest(at transform.Path, what string) *transform.Error {
	name := at.Field()
	message := name + " " + what
	if name == "" {
		message = "the body " + what
	}
	return &transform.Error{Kind: transform.ErrBadRequest, Param: name, Message: message}
}

func wrongType(at transform.Path, want string) error {
	return badRequest(at, "must be "+want)
}

func missing(at transform.Path) error {
	return badRequest(at, "is missing: it must be given")
}

// twice refuses a member that two readers could understand differently.
func twice(at transform.Path) error {
	return badRequest(at, "stands twice in one object: send it once, in one spelling")
}

// field is a member of an object.
type field struct {
	// name is its name in lowerCamelCase, key as the client spelled it.
	name, key string
	value     jsonbytes.Value
	at        transform.Path
}

// members reads the members of an object. Google's API takes their names in
// lowerCamelCase and in snake_case (https://protobuf.dev/programming-guides/json/).
// A member that is null counts as absent.
func members(v jsonbytes.Value, at *transform.Path, read func(f *field) error) error {
	if v.Kind() != jsonbytes.Object {
		return wrongType(*at, "an object")
	}
	if err := unique(v, at); err != nil {
		return err
	}
	fields := make([]field, 0, v.Len()) // at once: places inside of a field point to it
	for key, value := range v.Members() {
		if value.IsNull() {
			continue
		}
		fields = append(fields, field{key: string(key), value: value})
		f := &fields[len(fields)-1]
		f.name = camel(f.key)
		f.at = at.Key(f.key)
		if f.name != f.key && !v.Get(f.name).Empty() {
			return twice(f.at)
		}
		if err := read(f); err != nil {
			return err
		}
	}
	return nil
}

func unique(v jsonbytes.Value, at *transform.Path) error {
	err := v.Unique("")
	if err == nil {
		return nil
	}
	pointer := ""
	var again *jsonbytes.DuplicateKeyError
	var letters *jsonbytes.KeyCaseError
	switch {
	case errors.As(err, &again):
		pointer = again.Pointer
	case errors.As(err, &letters):
		pointer = letters.Pointer
	}
	return twice(at.Key(strings.TrimPrefix(pointer, "/")))
}

// camel is a name in lowerCamelCase. Underscores in front stay.
func camel(name string) string {
	if strings.IndexByte(name, '_') < 0 {
		return name
	}
	out := make([]byte, 0, len(name))
	for i := 0; i < len(name); i++ {
		c := name[i]
		switch {
		case c != '_' || len(out) == 0 || out[len(out)-1] == '_':
		case i+1 < len(name) && 'a' <= name[i+1] && name[i+1] <= 'z':
			i++
			c = name[i] - ('a' - 'A')
		}
		out = append(out, c)
	}
	return string(out)
}

func (f *field) text() (string, error) {
	s, ok := f.value.Text()
	if !ok {
		return "", wrongType(f.at, "a string")
	}
	return s, nil
}

func (f *field) literal() (transform.Literal, error) {
	if f.value.Kind() != jsonbytes.String {
		return nil, wrongType(f.at, "a string")
	}
	return f.value, nil
}

func (f *field) number() (jsonbytes.Value, error) {
	if f.value.Kind() != jsonbytes.Number {
		return nil, wrongType(f.at, "a number")
	}
	return f.value, nil
}

// integer reads a whole number. Google's JSON has those of 64 bits as strings,
// and takes any so.
func (f *field) integer() (int64, error) {
	n, ok := wholeNumber(f.value).Int()
	if !ok {
		return 0, wrongType(f.at, "a whole number")
	}
	return n, nil
}

// wholeNumber takes a number out of the string that it may stand in.
func wholeNumber(v jsonbytes.Value) jsonbytes.Value {
	if text, ok := v.Text(); ok {
		return jsonbytes.Value(text)
	}
	return v
}

func (f *field) boolean() (bool, error) {
	b, ok := f.value.Bool()
	if !ok {
		return false, wrongType(f.at, "true or false")
	}
	return b, nil
}

// enum reads a word. Google's are in capitals; small letters pass too, and so
// does the number of a word among those that the enum begins with.
func (f *field) enum(words []string) (string, error) {
	if n, ok := f.value.Int(); ok && n >= 0 && n < int64(len(words)) {
		return words[n], nil
	}
	s, err := f.text()
	return strings.ToUpper(s), err
}

// The enums, by number: protocol buffers written as JSON may have these.
var (
	callingModes   = []string{"MODE_UNSPECIFIED", "AUTO", "ANY", "NONE", "VALIDATED"}
	thinkingLevels = []string{"THINKING_LEVEL_UNSPECIFIED", "LOW", "HIGH", "MEDIUM", "MINIMAL"}
	modalities     = []string{"MODALITY_UNSPECIFIED", "TEXT", "IMAGE", "AUDIO"}
	resolutions    = []string{"MEDIA_RESOLUTION_UNSPECIFIED", "MEDIA_RESOLUTION_LOW", "MEDIA_RESOLUTION_MEDIUM", "MEDIA_RESOLUTION_HIGH"}
	schemaTypes    = []string{"TYPE_UNSPECIFIED", "STRING", "NUMBER", "INTEGER", "BOOLEAN", "ARRAY", "OBJECT", "NULL"}
	taskTypes      = []string{
		"TASK_TYPE_UNSPECIFIED", "RETRIEVAL_QUERY", "RETRIEVAL_DOCUMENT", "SEMANTIC_SIMILARITY", "CLASSIFICATION", "CLUSTERING",
		"QUESTION_ANSWERING", "FACT_VERIFICATION", "CODE_RETRIEVAL_QUERY",
	}
)

// each reads the elements of an array, or what stands in place of an array with
// one element: the API takes that for the same.
func (f *field) each(read func(i int, v jsonbytes.Value, at *transform.Path) error) error {
	if f.value.Kind() != jsonbytes.Array {
		return read(0, f.value, &f.at)
	}
	places := make([]transform.Path, f.value.Len())
	for i, e := range f.value.Elements() {
		places[i] = f.at.Index(i)
		if err := read(i, e, &places[i]); err != nil {
			return err
		}
	}
	return nil
}
