package gemini

import (
	"strings"

	"github.com/caddyllm/llmproxy/internal/jsonbytes"
	"github.com/caddyllm/llmproxy/transform"
)

// requestDecoder reads one request. Its methods return the first thing wrong.
type requestDecoder struct {
	r    *transform.Request
	lost *transform.Losses

	batch batch // of calls that results may answer
	// open tells that the last turn is the model's and may go on: clients that
	// gather a stream return each of its pieces as a content of its own.
	open bool

	mime, schema field            // responseMimeType, and the schema beside it
	legacy       bool             // the schema is Google's own, not JSON Schema
	searches     bool             // web_search_options were put into the rest
	hosted       []transform.Path // tools that only Google runs
	// invocations is includeServerSideToolInvocations, which Google wants beside
	// its search, where the encoder asks for it.
	invocations field
}

// DecodeRequest reads the body of :generateContent and :streamGenerateContent.
// The model and the wish for a stream are in the path, so they are not missed
// here. Errors are *transform.Error with Google's spelling of the place.
func (Codec) DecodeRequest(body []byte, lost *transform.Losses) (*transform.Request, error) {
	d := &requestDecoder{r: new(transform.Request), lost: lost}
	var root transform.Path
	if err := d.request(jsonbytes.Parse(body), &root); err != nil {
		return nil, err
	}
	return d.r, nil
}

// request reads a GenerateContentRequest.
func (d *requestDecoder) request(v jsonbytes.Value, at *transform.Path) error {
	var contents, system field
	err := members(v, at, func(f *field) error {
		switch f.name {
		case "contents":
			contents = *f
		case "systemInstruction":
			system = *f
		default:
			return d.member(f)
		}
		return nil
	})
	if err != nil {
		return err
	}
	if err := d.output(); err != nil {
		return err
	}
	for _, at := range d.hosted {
		if d.r.Spares() {
			d.lost.Drop(at)
		} else {
			d.lost.Refuse(at)
		}
	}
	if d.invocations.value != nil && !d.searches {
		d.lost.Drop(d.invocations.at)
	}
	if system.value != nil {
		if err := d.system(&system); err != nil {
			return err
		}
	}
	if contents.value == nil {
		return badRequest(at.Key("contents"), "is missing: send at least one content")
	}
	return d.contents(&contents)
}

func (d *requestDecoder) member(f *field) (err error) {
	switch f.name {
	case "generationConfig":
		return members(f.value, &f.at, d.config)
	case "tools":
		d.r.Say("tools", f.at)
		return f.each(d.tool)
	case "toolConfig":
		return members(f.value, &f.at, d.toolConfig)
	case "model":
		d.r.Model, err = f.text()
		d.r.Model = strings.TrimPrefix(d.r.Model, "models/")
	case "serviceTier":
		return d.tier(f)
	case "safetySettings", "cachedContent", "labels", "store":
		d.r.Say(f.key, f.at)
		d.r.Rest = append(d.r.Rest, transform.Member{Name: f.key, Value: f.value})
	case "continuationToken":
		d.lost.Refuse(f.at) // half of the answer was given before
	default:
		d.lost.Drop(f.at)
	}
	return err
}

// tier takes the service tier in OpenAI's word for it.
func (d *requestDecoder) tier(f *field) error {
	word, err := f.text()
	d.r.Say("service_tier", f.at)
	switch strings.ToLower(strings.TrimPrefix(word, "SERVICE_TIER_")) {
	case "standard":
		d.r.ServiceTier = "default"
	case "flex":
		d.r.ServiceTier = "flex"
	case "priority":
		d.r.ServiceTier = "priority"
	case "unspecified", "":
	default:
		d.lost.Drop(f.at)
	}
	return err
}

// system reads the system instruction: a content, of which the role does not
// matter, or its text.
func (d *requestDecoder) system(f *field) error {
	turn := transform.Turn{Role: transform.RoleSystem, At: f.at}
	c, err := d.takeContent(f.value, &f.at)
	if err != nil {
		return err
	}
	err = c.each(func(_ int, v jsonbytes.Value, at *transform.Path) error {
		p, err := d.readPart(v, at)
		if err != nil {
			return err
		}
		switch {
		case p.data.name == "text" && !p.data.value.HasText():
		case p.data.name == "text":
			turn.Parts = append(turn.Parts, transform.Part{Kind: transform.PartText, Text: p.data.value, At: *at})
		case p.data.value != nil:
			d.lost.Refuse(p.data.at) // an instruction is text
		}
		return nil
	})
	if len(turn.Parts) > 0 {
		d.r.Turns = append(d.r.Turns, turn)
	}
	return err
}
