package gemini

import (
	"strings"

	"github.com/caddyllm/llmproxy/internal/jsonbytes"
	"github.com/caddyllm/llmproxy/transform"
)

// configNames are OpenAI's names of what stands in generationConfig.
var configNames = map[string]string{
	"temperature": "temperature", "topP": "top_p", "topK": "top_k", "seed": "seed",
	"presencePenalty": "presence_penalty", "frequencyPenalty": "frequency_penalty",
	"candidateCount": "n", "maxOutputTokens": "max_tokens", "stopSequences": "stop",
	"responseLogprobs": "logprobs", "logprobs": "top_logprobs", "responseModalities": "modalities",
}

// config reads a member of generationConfig.
func (d *requestDecoder) config(f *field) (err error) {
	s := &d.r.Sampling
	if name, ok := configNames[f.name]; ok {
		d.r.Say(name, f.at)
	}
	switch f.name {
	case "temperature":
		s.Temperature, err = f.number()
	case "topP":
		s.TopP, err = f.number()
	case "topK":
		s.TopK, err = f.number()
	case "seed":
		s.Seed, err = f.number()
	case "presencePenalty":
		s.PresencePenalty, err = f.number()
	case "frequencyPenalty":
		s.FrequencyPenalty, err = f.number()
	case "candidateCount":
		s.N, err = f.count()
	case "maxOutputTokens":
		s.MaxTokens, err = f.count()
	case "stopSequences":
		err = d.stopSequences(f)
	case "responseMimeType":
		d.mime = *f
	case "responseSchema", "responseJsonSchema", "_responseJsonSchema":
		err = d.responseSchema(f)
	case "responseLogprobs":
		d.r.Logprobs, err = f.boolean()
	case "logprobs":
		var n int64
		n, err = f.count()
		d.r.TopLogprobs = int(min(n, 1000))
	case "thinkingConfig":
		err = members(f.value, &f.at, d.thinking)
	case "responseModalities":
		err = d.modalities(f)
	default: // speechConfig, mediaResolution, audioTimestamp, routingConfig and the like
		d.lost.Drop(f.at)
	}
	return err
}

// count reads a number of things, of which 0 means that none is given.
func (f *field) count() (int64, error) {
	n, err := f.integer()
	if err == nil && n < 0 {
		err = badRequest(f.at, "must not be negative")
	}
	return n, err
}

func (d *requestDecoder) stopSequences(f *field) error {
	return f.each(func(_ int, v jsonbytes.Value, at *transform.Path) error {
		if v.Kind() != jsonbytes.String {
			return wrongType(*at, "a string")
		}
		d.r.Sampling.Stop = append(d.r.Sampling.Stop, v)
		return nil
	})
}

// responseSchema keeps the schema. JSON Schema wins over Google's own.
func (d *requestDecoder) responseSchema(f *field) error {
	if f.value.Kind() != jsonbytes.Object {
		return wrongType(f.at, "an object")
	}
	legacy := f.name == "responseSchema"
	switch {
	case d.schema.value == nil, d.legacy:
		if d.schema.value != nil {
			d.lost.Drop(d.schema.at)
		}
		d.schema, d.legacy = *f, legacy
	default:
		d.lost.Drop(f.at)
	}
	return nil
}

// output settles the form of the text from the media type and the schema.
func (d *requestDecoder) output() error {
	out := &d.r.Output
	mime := ""
	if d.mime.value != nil {
		var err error
		if mime, err = d.mime.text(); err != nil {
			return err
		}
	}
	switch mime {
	case "", "application/json":
	case "text/plain":
		out.Kind = transform.OutputText
		if d.schema.value != nil {
			d.lost.Drop(d.schema.at)
		}
		return nil
	default: // text/x.enum: a bare word of the schema's
		d.lost.Refuse(d.mime.at)
		return nil
	}
	switch {
	case d.schema.value != nil:
		out.Kind, out.Schema, out.SchemaAt = transform.OutputSchema, d.schema.value, d.schema.at
		d.r.Say("response_format", d.schema.at)
		if d.legacy {
			out.Schema = jsonSchema(d.schema.value)
		}
	case mime != "":
		out.Kind = transform.OutputJSON
		d.r.Say("response_format", d.mime.at)
	}
	return nil
}

// thinking reads a member of thinkingConfig.
func (d *requestDecoder) thinking(f *field) (err error) {
	wish := &d.r.Reasoning
	switch f.name {
	case "includeThoughts":
		wish.Summary, err = f.boolean()
	case "thinkingBudget":
		var n int64
		switch n, err = f.integer(); {
		case err != nil, n < 0: // as much as the model likes
		case n == 0:
			wish.Effort = "none"
			d.r.Say("reasoning_effort", f.at)
		default:
			wish.Budget = n
			if wish.Effort == "" {
				d.r.Say("reasoning_effort", f.at)
			}
		}
	case "thinkingLevel":
		var level string
		switch level, err = f.enum(thinkingLevels); level {
		case "MINIMAL", "LOW", "MEDIUM", "HIGH":
			wish.Effort = strings.ToLower(level)
			d.r.Say("reasoning_effort", f.at)
		case "THINKING_LEVEL_UNSPECIFIED", "":
		default:
			d.lost.Drop(f.at)
		}
	default:
		d.lost.Drop(f.at)
	}
	return err
}

// modalities reads what the answer may consist of, text alone being what it is
// anyway. Speech comes in a form that no other format has.
func (d *requestDecoder) modalities(f *field) error {
	names, drawn := []byte{'['}, false
	err := f.each(func(_ int, v jsonbytes.Value, at *transform.Path) error {
		one := field{value: v, at: *at}
		switch word, err := one.enum(modalities); {
		case err != nil:
			return err
		case word == "TEXT", word == "IMAGE":
			drawn = drawn || word == "IMAGE"
			if len(names) > 1 {
				names = append(names, ',')
			}
			names = jsonbytes.AppendString(names, strings.ToLower(word))
		case word == "MODALITY_UNSPECIFIED":
		default:
			d.lost.Refuse(*at)
		}
		return nil
	})
	if drawn {
		d.r.Rest = append(d.r.Rest, transform.Member{Name: "modalities", Value: append(names, ']')})
	}
	return err
}
