package gemini

import (
	"strconv"
	"strings"

	"github.com/caddyllm/llmproxy/catalog"
	"github.com/caddyllm/llmproxy/internal/jsonbytes"
	"github.com/caddyllm/llmproxy/transform"
)

// DecodeCountRequest reads the body of :countTokens: contents, as Vertex has
// them beside what else a request holds, or a whole generateContentRequest.
func (Codec) DecodeCountRequest(body []byte, lost *transform.Losses) (*transform.Request, error) {
	d := &requestDecoder{r: new(transform.Request), lost: lost}
	var root transform.Path
	v := jsonbytes.Parse(body)
	if v.Get("generateContentRequest") == nil && v.Get("generate_content_request") == nil {
		if err := d.request(v, &root); err != nil {
			return nil, err
		}
		return d.r, nil
	}
	var model string
	err := members(v, &root, func(f *field) (err error) {
		switch f.name {
		case "generateContentRequest":
			return d.request(f.value, &f.at)
		case "model":
			model, err = f.text()
		default:
			lost.Drop(f.at)
		}
		return err
	})
	if d.r.Model == "" {
		d.r.Model = strings.TrimPrefix(model, "models/")
	}
	if err == nil && len(d.r.Turns) == 0 {
		err = missing(root.Key("contents"))
	}
	if err != nil {
		return nil, err
	}
	return d.r, nil
}

// AppendCount writes the answer of :countTokens.
func (Codec) AppendCount(dst []byte, tokens int64) []byte {
	dst = append(dst, `{"totalTokens":`...)
	return append(strconv.AppendInt(dst, tokens, 10), '}')
}

// AppendCountRequest writes the body of :countTokens. The Gemini API counts
// tools and instructions only in a whole request, Vertex beside the contents.
func (c Codec) AppendCountRequest(dst []byte, r *transform.Request, to transform.Target, lost *transform.Losses) ([]byte, error) {
	if len(r.Turns) == 0 {
		return dst, noTurns()
	}
	if c.Vertex {
		e := encoder{Writer: jsonbytes.Writer{Out: dst}, r: r, to: to, lost: lost, vertex: true, model: catalog.LookupGemini(to.Model)}
		e.extras()
		e.Raw("{")
		turns := e.system(transform.WithoutBilling(r.Turns, lost))
		e.declarations()
		e.contents(turns)
		e.Raw("}")
		return e.Out, nil
	}
	dst = append(dst, `{"generateContentRequest":{"model":`...)
	dst = jsonbytes.AppendString(dst, modelName(to.Model))
	dst = append(dst, ',')
	whole := len(dst)
	dst, err := c.AppendRequest(dst, r, to, lost)
	if err != nil {
		return dst, err
	}
	// The model is a member like any other: the object's own bracket goes.
	copy(dst[whole:], dst[whole+1:])
	dst[len(dst)-1] = '}'
	return dst, nil
}

// modelName is the name as bodies have it.
func modelName(model string) string {
	if strings.HasPrefix(model, "models/") || strings.HasPrefix(model, "tunedModels/") {
		return model
	}
	return "models/" + model
}

// DecodeCount reads the answer of :countTokens.
func (Codec) DecodeCount(body []byte) (int64, error) {
	text := jsonbytes.Parse(body)
	if jsonbytes.Check(text, 0) != nil {
		return 0, errNoAnswer
	}
	if e := text.Get("error"); !e.Empty() {
		return 0, decodeError(0, e)
	}
	tokens, ok := text.Get("totalTokens").Int()
	if !ok || tokens < 0 {
		return 0, errNoAnswer
	}
	return tokens, nil
}
