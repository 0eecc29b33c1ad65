package openai

import (
	"github.com/caddyllm/llmproxy/internal/jsonbytes"
	"github.com/caddyllm/llmproxy/transform"
)

// DecodeResponse reads a chat.completion of any provider of this format. An
// error that came with status 200 is an *transform.Error.
func (c Codec) DecodeResponse(body []byte) (*transform.Response, error) {
	e, err := openEnvelope(body)
	if err != nil {
		return nil, err
	}
	if failure := e.failed(false); failure != nil {
		return nil, failure
	}
	a := &transform.Response{Usage: e.counts()}
	a.ID, _ = e.id.Text()
	a.Model, _ = e.model.Text()
	a.Created, _ = e.created.Int()
	a.ServiceTier, _ = e.tier.Text()
	for i, v := range e.choices.Elements() {
		choice, err := decodeChoice(i, v, c.profile().ThinkTags)
		if err != nil {
			return nil, err
		}
		if i == 0 {
			choice.Parts = appendSources(choice.Parts, e.sources())
		}
		if !a.Usage.Known {
			a.Usage = ReadUsage(v.Get("usage")) // Moonshot
		}
		a.Choices = append(a.Choices, choice)
	}
	if len(a.Choices) == 0 {
		return nil, errNoAnswer
	}
	return a, nil
}

func decodeChoice(i int, v jsonbytes.Value, tags bool) (transform.Choice, error) {
	choice := transform.Choice{Index: i}
	if n, ok := v.Get("index").Int(); ok {
		choice.Index = int(n)
	}
	finish := v.Get("finish_reason")
	reason, failed := readFinish(finish)
	if failed {
		return choice, failedFinish(finish)
	}
	if logprobs := v.Get("logprobs"); logprobs.Kind() == jsonbytes.Object {
		choice.Logprobs = logprobs
	}
	choice.Parts = decodeMessage(v.Get("message"), tags)
	choice.Finish = finishOf(reason, hasPart(choice.Parts, transform.PartToolCall))
	return choice, nil
}

// decodeMessage reads an assistant's message: what it thought, its text, its
// refusal, its calls, its sources. What it thought may stand in tags.
func decodeMessage(v jsonbytes.Value, tags bool) []transform.Part {
	var thought reasoning
	var content, refusal, toolCalls, functionCall, annotations, images jsonbytes.Value
	for key, value := range v.Members() {
		switch name := jsonbytes.Name(key); name {
		case "content":
			content = value
		case "refusal":
			refusal = value
		case "tool_calls":
			toolCalls = value
		case "function_call":
			functionCall = value
		case "annotations":
			annotations = value
		case "images":
			images = value
		default:
			thought.take(name, value)
		}
	}
	var nobody transform.Path
	var untold transform.Losses
	parts := thought.parts(nil, &nobody, &untold)
	parts = appendContent(parts, content)
	if tags {
		parts = withoutTags(parts)
	}
	if said := refusal.NonEmpty(); said != nil {
		parts = append(parts, transform.Part{Kind: transform.PartRefusal, Text: said})
	}
	for _, e := range images.Elements() {
		part := transform.Part{Kind: transform.PartImage}
		if Source(&part.Media, e.Get("image_url").Get("url"), nobody) == nil {
			parts = append(parts, part)
		}
	}
	parts = appendCalls(parts, toolCalls, functionCall)
	thought.signCalls(parts, &nobody, &untold)
	for _, e := range annotations.Elements() {
		if e.Kind() == jsonbytes.Object {
			parts = append(parts, transform.Part{Kind: transform.PartCitation, Citation: e})
		}
	}
	return parts
}

// appendContent reads a string, or an array of parts as of Mistral and
// Databricks, in which what the model thought may stand too.
func appendContent(parts []transform.Part, content jsonbytes.Value) []transform.Part {
	if said := content.NonEmpty(); said != nil {
		return append(parts, transform.Part{Kind: transform.PartText, Text: said})
	}
	for _, e := range content.Elements() {
		kind, said := contentPart(e)
		if said == nil {
			continue
		}
		if last := len(parts) - 1; last >= 0 && parts[last].Kind == kind && parts[last].Opaque.Kind == transform.OpaqueNone {
			parts[last].Text = jsonbytes.Concat(parts[last].Text, said)
			continue
		}
		parts = append(parts, transform.Part{Kind: kind, Text: said})
	}
	return parts
}

// contentPart reads an element of a content array: text, or thinking.
func contentPart(v jsonbytes.Value) (transform.PartKind, transform.Literal) {
	switch kind := v.Get("type"); {
	case v.Kind() == jsonbytes.String:
		return transform.PartText, v.NonEmpty()
	case kind.Is("thinking"):
		part, _ := thinkingPart(v)
		return transform.PartReasoning, part.Text
	case kind.Is("reasoning"): // Databricks: {summary: [{text}]}
		var said transform.Literal
		for _, e := range v.Get("summary").Elements() {
			said = jsonbytes.Concat(said, e.Get("text").NonEmpty())
		}
		return transform.PartReasoning, said
	}
	return transform.PartText, v.Get("text").NonEmpty()
}

// appendCalls reads calls, each of which gets an id of its own.
func appendCalls(parts []transform.Part, toolCalls, functionCall jsonbytes.Value) []transform.Part {
	seen := make(map[string]bool)
	add := func(v, call jsonbytes.Value, custom bool) {
		part := transform.Part{Kind: transform.PartToolCall}
		part.Call.Custom = custom
		part.Call.Name, _ = call.Get("name").Text()
		if part.Call.Name == "" {
			return
		}
		arguments := "arguments"
		if custom {
			arguments = "input"
		}
		part.Call.Arguments = Arguments(call.Get(arguments))
		part.Call.ID, _ = v.Get("id").Text()
		if part.Call.ID == "" || seen[part.Call.ID] {
			part.Call.ID = transform.NewID("call_")
		}
		seen[part.Call.ID] = true
		if signature := thoughtSignature(v.Get("extra_content")); signature != nil {
			part.Opaque = transform.Opaque{Vendor: transform.VendorGoogle, Kind: transform.OpaqueSignature, Data: signature}
		}
		parts = append(parts, part)
	}
	for _, e := range toolCalls.Elements() {
		if custom := e.Get("custom"); custom.Kind() == jsonbytes.Object {
			add(e, custom, true)
		} else {
			add(e, e.Get("function"), false)
		}
	}
	if len(seen) == 0 {
		add(nil, functionCall, false)
	}
	return parts
}

func appendSources(parts []transform.Part, list jsonbytes.Value) []transform.Part {
	for _, v := range list.Elements() {
		if citation := sourceCitation(v); citation != nil {
			parts = append(parts, transform.Part{Kind: transform.PartCitation, Citation: citation})
		}
	}
	return parts
}

func sourceCitation(v jsonbytes.Value) jsonbytes.Value {
	url, title := v, jsonbytes.Value(`""`)
	if v.Kind() == jsonbytes.Object {
		url = v.Get("url")
		if t := v.Get("title").NonEmpty(); t != nil {
			title = t
		}
	}
	if !url.HasText() {
		return nil
	}
	citation := make(jsonbytes.Value, 0, 80+len(url)+len(title))
	citation = append(citation, `{"type":"url_citation","url_citation":{"start_index":0,"end_index":0,"url":`...)
	citation = append(citation, url...)
	citation = append(citation, `,"title":`...)
	citation = append(citation, title...)
	return append(citation, `}}`...)
}
