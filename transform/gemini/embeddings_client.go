package gemini

import (
	"strconv"
	"strings"

	"github.com/caddyllm/llmproxy/internal/jsonbytes"
	"github.com/caddyllm/llmproxy/transform"
)

// embeddingDecoder reads the requests for vectors. What the neutral model has
// once must be the same in all of them.
type embeddingDecoder struct {
	r     *transform.EmbeddingRequest
	lost  *transform.Losses
	title jsonbytes.Value
	seen  int // requests before
}

// DecodeEmbeddingRequest reads the body of :embedContent, {content, …}, or that
// of :batchEmbedContents, {requests: [{model, content, …}]}.
func (Codec) DecodeEmbeddingRequest(body []byte, lost *transform.Losses) (*transform.EmbeddingRequest, error) {
	d := &embeddingDecoder{r: new(transform.EmbeddingRequest), lost: lost}
	var root transform.Path
	v := jsonbytes.Parse(body)
	var err error
	if v.Get("requests") == nil {
		d.r.Single = true
		err = d.request(0, v, &root)
	} else {
		err = members(v, &root, func(f *field) error {
			switch f.name {
			case "requests":
				return f.each(d.request)
			case "model":
				return d.model(f)
			}
			lost.Drop(f.at)
			return nil
		})
		if err == nil && len(d.r.Inputs) == 0 {
			err = badRequest(root.Key("requests"), "must hold at least one request")
		}
	}
	if err != nil {
		return nil, err
	}
	if d.title != nil {
		d.r.Rest = append(d.r.Rest, transform.Member{Name: "title", Value: d.title})
	}
	return d.r, nil
}

func (d *embeddingDecoder) model(f *field) error {
	name, err := f.text()
	if d.r.Model == "" {
		d.r.Model = strings.TrimPrefix(name, "models/")
	}
	return err
}

// wishes are what one request wants of its vector.
type wishes struct {
	purpose    string
	title      jsonbytes.Value
	dimensions int64
	// purposeAt and the others are where that was said.
	purposeAt, titleAt, dimensionsAt transform.Path
}

// request reads an EmbedContentRequest.
func (d *embeddingDecoder) request(_ int, v jsonbytes.Value, at *transform.Path) error {
	var w wishes
	var input transform.Literal
	read := func(f *field) error { return w.read(f, d.lost) }
	err := members(v, at, func(f *field) (err error) {
		switch f.name {
		case "model":
			err = d.model(f)
		case "content":
			input, err = d.content(f)
		case "embedContentConfig":
			err = members(f.value, &f.at, read)
		default:
			err = read(f)
		}
		return err
	})
	switch {
	case err != nil:
		return err
	case input == nil:
		return badRequest(at.Key("content"), "is missing: send a text")
	}
	d.r.Inputs = append(d.r.Inputs, input)
	d.agree(&w)
	return nil
}

func (w *wishes) read(f *field, lost *transform.Losses) (err error) {
	switch f.name {
	case "taskType":
		if w.purpose, err = f.enum(taskTypes); w.purpose == "TASK_TYPE_UNSPECIFIED" {
			w.purpose = ""
		}
		w.purposeAt = f.at
	case "title":
		w.title, err = f.literal()
		w.titleAt = f.at
	case "outputDimensionality":
		w.dimensions, err = f.count()
		w.dimensionsAt = f.at
	default: // autoTruncate and the like
		lost.Drop(f.at)
	}
	return err
}

// agree takes the first request's wishes and reports others that differ: the
// vectors would be other ones.
func (d *embeddingDecoder) agree(w *wishes) {
	r := d.r
	if d.seen++; d.seen == 1 {
		r.Purpose, r.Dimensions, d.title = w.purpose, w.dimensions, w.title
		r.Say("title", w.titleAt)
		r.Say("dimensions", w.dimensionsAt)
		r.Say("input_type", w.purposeAt)
		return
	}
	if w.purpose != r.Purpose {
		d.lost.Refuse(w.purposeAt)
	}
	if w.dimensions != r.Dimensions {
		d.lost.Refuse(w.dimensionsAt)
	}
	if string(w.title) != string(d.title) {
		d.lost.Drop(w.titleAt)
	}
}

// content reads the text that a vector is wanted of, nil if there is none.
func (d *embeddingDecoder) content(from *field) (input transform.Literal, err error) {
	reader := requestDecoder{lost: d.lost}
	c, err := reader.takeContent(from.value, &from.at)
	if err != nil {
		return nil, err
	}
	err = c.each(func(_ int, v jsonbytes.Value, at *transform.Path) error {
		p, err := reader.readPart(v, at)
		switch {
		case err != nil:
			return err
		case p.data.name == "text":
			input = jsonbytes.Concat(input, p.data.value)
		case p.data.value != nil:
			d.lost.Refuse(p.data.at) // vectors of images are another matter
		}
		return nil
	})
	return input, err
}

// AppendEmbeddingResponse writes the vector, or the list of vectors that a
// batch was asked for.
func (Codec) AppendEmbeddingResponse(dst []byte, a *transform.EmbeddingResponse, r *transform.EmbeddingRequest) ([]byte, error) {
	if r != nil && r.Single {
		if len(a.Vectors) != 1 {
			return nil, errNoAnswer
		}
		dst = append(dst, `{"embedding":`...)
		dst = appendVector(dst, a.Vectors[0])
	} else {
		dst = append(dst, `{"embeddings":[`...)
		for _, v := range a.Vectors {
			dst = appendVector(commaAfter(dst), v)
		}
		dst = append(dst, ']')
	}
	if a.Usage.Known {
		dst = append(dst, `,"usageMetadata":{"promptTokenCount":`...)
		dst = strconv.AppendInt(dst, a.Usage.Input, 10)
		dst = append(dst, '}')
	}
	return append(dst, '}'), nil
}

func appendVector(dst []byte, v jsonbytes.Value) []byte {
	return append(jsonbytes.AppendCompact(append(dst, `{"values":`...), v), '}')
}
