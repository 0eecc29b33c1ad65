package openai

import (
	"encoding/base64"
	"encoding/binary"
	"errors"
	"math"
	"strconv"

	"github.com/caddyllm/llmproxy/internal/jsonbytes"
	"github.com/caddyllm/llmproxy/transform"
)

// DecodeEmbeddingRequest reads the body of /v1/embeddings. Inputs that are
// token numbers mean nothing to another vendor and are an error.
func (Codec) DecodeEmbeddingRequest(body []byte, lost *transform.Losses) (*transform.EmbeddingRequest, error) {
	var root transform.Path
	v := jsonbytes.Parse(body)
	if v.Kind() != jsonbytes.Object {
		return nil, &transform.Error{Kind: transform.ErrBadRequest, Code: CodeInvalidType, Message: "The body must be a JSON object."}
	}
	r := new(transform.EmbeddingRequest)
	for key, value := range v.Members() {
		name := jsonbytes.Name(key)
		at := root.Key(name)
		var err error
		switch {
		case value.IsNull():
		case name == "model":
			r.Model, err = Text(value, at)
		case name == "input":
			r.Inputs, err = inputs(value, at)
		case name == "dimensions":
			r.Dimensions, err = Positive(value, at)
		case name == "encoding_format" && value.Is("base64"):
			r.Base64 = true
		case name == "encoding_format" && value.Is("float"):
		case name == "encoding_format":
			err = BadRequest(CodeInvalidValue, at, "must be float or base64.")
		case name == "user":
			lost.Drop(at)
		default:
			r.Rest = append(r.Rest, transform.Member{Name: name, Value: value})
		}
		if err != nil {
			return nil, err
		}
	}
	switch {
	case r.Model == "":
		return nil, Missing(root.Key("model"))
	case v.Get("input").Empty():
		return nil, Missing(root.Key("input"))
	}
	return r, nil
}

func inputs(v jsonbytes.Value, at transform.Path) ([]transform.Literal, error) {
	switch v.Kind() {
	case jsonbytes.String:
		return []transform.Literal{v}, nil
	case jsonbytes.Array:
		var list []transform.Literal
		for i, e := range v.Elements() {
			if e.Kind() != jsonbytes.String {
				return nil, BadRequest(CodeInvalidType, at.Index(i), "must be a string: token numbers are of use to the model's own vendor only.")
			}
			list = append(list, e)
		}
		if len(list) == 0 {
			return nil, BadRequest(CodeEmptyArray, at, "must hold at least one text.")
		}
		return list, nil
	}
	return nil, WrongType(at, "a string or an array of strings", v)
}

// AppendEmbeddingRequest writes the body of /v1/embeddings.
func (c Codec) AppendEmbeddingRequest(dst []byte, r *transform.EmbeddingRequest, to transform.Target, lost *transform.Losses) ([]byte, error) {
	dst = append(dst, `{"model":`...)
	dst = jsonbytes.AppendString(dst, to.Model)
	dst = append(dst, `,"input":[`...)
	for i, input := range r.Inputs {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = append(dst, input...)
	}
	dst = append(dst, ']')
	if r.Dimensions > 0 {
		name := c.profile().Dimensions
		if name == "" {
			name = "dimensions"
		}
		dst = jsonbytes.AppendString(append(dst, ','), name)
		dst = append(dst, ':')
		dst = appendInt(dst, r.Dimensions)
	}
	for _, m := range r.Rest {
		lost.Drop(r.At(m.Name))
	}
	return append(dst, '}'), nil
}

// DecodeEmbeddingResponse reads an answer of /v1/embeddings, which must be in
// the order of its indices or without any.
func (Codec) DecodeEmbeddingResponse(body []byte) (*transform.EmbeddingResponse, error) {
	e, err := openEnvelope(body)
	if err != nil {
		return nil, err
	}
	if failure := e.failed(false); failure != nil {
		return nil, failure
	}
	list := e.root.Get("data")
	if list.Kind() != jsonbytes.Array {
		return nil, errors.New("openai: the answer has no embeddings")
	}
	a := &transform.EmbeddingResponse{Usage: e.counts()}
	a.Model, _ = e.model.Text()
	a.Vectors = make([]jsonbytes.Value, list.Len())
	for i, v := range list.Elements() {
		at := int64(i)
		if n, ok := v.Get("index").Int(); ok {
			at = n
		}
		vector := v.Get("embedding")
		if vector.Kind() == jsonbytes.String {
			vector = floats(vector)
		}
		if at < 0 || at >= int64(len(a.Vectors)) || a.Vectors[at] != nil || vector.Kind() != jsonbytes.Array {
			return nil, errors.New("openai: the answer's embeddings are out of order")
		}
		a.Vectors[at] = vector
	}
	return a, nil
}

// floats turns base64 of little-endian 32-bit floats into a JSON array, nil if
// it is none.
func floats(v jsonbytes.Value) jsonbytes.Value {
	data, err := base64.StdEncoding.AppendDecode(nil, inside(v))
	if err != nil || len(data)%4 != 0 {
		return nil
	}
	array := jsonbytes.Value{'['}
	for i := 0; i < len(data); i += 4 {
		if i > 0 {
			array = append(array, ',')
		}
		f := float64(math.Float32frombits(binary.LittleEndian.Uint32(data[i:])))
		if math.IsNaN(f) || math.IsInf(f, 0) {
			return nil
		}
		array = strconv.AppendFloat(array, f, 'g', -1, 32)
	}
	return append(array, ']')
}

// AppendEmbeddingResponse writes the answer of /v1/embeddings, its vectors as
// arrays or as the base64 that OpenAI's own SDKs ask for. An error means that a
// vector is not one of numbers.
func (Codec) AppendEmbeddingResponse(dst []byte, a *transform.EmbeddingResponse, r *transform.EmbeddingRequest) ([]byte, error) {
	dst = append(dst, `{"object":"list","data":[`...)
	for i, vector := range a.Vectors {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = append(dst, `{"object":"embedding","index":`...)
		dst = appendInt(dst, int64(i))
		dst = append(dst, `,"embedding":`...)
		if !r.Base64 {
			dst = append(dst, vector...)
		} else {
			data, err := float32s(vector)
			if err != nil {
				return nil, err
			}
			dst = append(dst, '"')
			dst = base64.StdEncoding.AppendEncode(dst, data)
			dst = append(dst, '"')
		}
		dst = append(dst, '}')
	}
	model := a.Model
	if model == "" {
		model = r.Model
	}
	dst = append(dst, `],"model":`...)
	dst = jsonbytes.AppendString(dst, model)
	dst = append(dst, `,"usage":{"prompt_tokens":`...)
	dst = appendInt(dst, a.Usage.Input)
	dst = append(dst, `,"total_tokens":`...)
	dst = appendInt(dst, a.Usage.Total())
	return append(dst, `}}`...), nil
}

func float32s(vector jsonbytes.Value) ([]byte, error) {
	data := make([]byte, 0, 4*1536)
	for _, v := range vector.Elements() {
		f, ok := v.Float()
		if !ok {
			return nil, errors.New("openai: an embedding is not a list of numbers")
		}
		data = binary.LittleEndian.AppendUint32(data, math.Float32bits(float32(f)))
	}
	return data, nil
}
