package blocks

import (
	"strconv"

	"github.com/caddyllm/llmproxy/internal/jsonbytes"
	"github.com/caddyllm/llmproxy/transform"
)

// Answer collects the parts of an answer.
type Answer struct {
	// Characters is the length of the text so far, Calls how many calls there are.
	Characters, Calls int

	parts []transform.Part
	// input is that of the tool that stands for the answer.
	input jsonbytes.Value
}

// Add adds a part that is neither text nor a call.
func (a *Answer) Add(part transform.Part) { a.parts = append(a.parts, part) }

// AddText adds a text if it says anything.
func (a *Answer) AddText(text jsonbytes.Value) {
	if text.HasText() {
		a.Characters += text.Characters()
		a.Add(transform.Part{Kind: transform.PartText, Text: text})
	}
}

// AddReasoning adds what the model thought, if there is anything of it.
func (a *Answer) AddReasoning(text jsonbytes.Value, opaque transform.Opaque) {
	if text = text.NonEmpty(); text != nil || opaque.Data != nil {
		a.Add(transform.Part{Kind: transform.PartReasoning, Text: text, Opaque: opaque})
	}
}

// AddCall adds a call.
func (a *Answer) AddCall(id, name, input jsonbytes.Value) {
	if name.Is(AnswerTool) {
		a.input = input
		return
	}
	call := transform.ToolCall{Arguments: input}
	call.ID, _ = id.Text()
	call.Name, _ = name.Text()
	a.Calls++
	a.Add(transform.Part{Kind: transform.PartToolCall, Call: call})
}

// AddCitation adds a [Citation], which may be nil, of the text from start on.
func (a *Answer) AddCitation(citation []byte, start int) {
	if citation != nil {
		a.Add(transform.Part{Kind: transform.PartCitation, Citation: closeCitation(citation, start, a.Characters)})
	}
}

// Parts returns the parts. Where a tool stands for the answer, its input is the
// whole text: what was said besides is not part of the JSON.
func (a *Answer) Parts() []transform.Part {
	if a.input == nil {
		return a.parts
	}
	parts := a.parts[:0]
	for _, part := range a.parts {
		if part.Kind != transform.PartText && part.Kind != transform.PartCitation {
			parts = append(parts, part)
		}
	}
	return append(parts, transform.Part{Kind: transform.PartText, Text: jsonbytes.AppendBytes(nil, a.input)})
}

// Citation is that of a page as Chat Completions' url_citation, but for its end;
// nil for citations of documents, which have no URL.
func Citation(url, title jsonbytes.Value) []byte {
	if !url.Spliceable() {
		return nil
	}
	dst := append([]byte(`{"type":"url_citation","url_citation":{"url":`), url...)
	dst = append(dst, `,"title":`...)
	if title.Spliceable() {
		return append(dst, title...)
	}
	return append(dst, `""`...)
}

// closeCitation appends the rest. The formats do not say where in the text a
// citation belongs, only to which block; start and end are that block's, in
// characters of the whole text.
func closeCitation(dst []byte, start, end int) []byte {
	dst = append(dst, `,"start_index":`...)
	dst = strconv.AppendInt(dst, int64(start), 10)
	dst = append(dst, `,"end_index":`...)
	dst = strconv.AppendInt(dst, int64(end), 10)
	return append(dst, `}}`...)
}

// Finish translates the word for why an answer ended. calls tells whether it
// calls tools: not all servers say so, and where the only call is the answer
// itself the model has just stopped.
func Finish(reason jsonbytes.Value, calls bool) transform.Finish {
	word, _ := reason.Text()
	switch word {
	case "max_tokens", "model_context_window_exceeded":
		return transform.FinishLength
	case "refusal", "guardrail_intervened", "content_filtered": // the latter are Bedrock's
		return transform.FinishContentFilter
	}
	switch {
	case calls:
		return transform.FinishToolCalls
	case word == "":
		return transform.FinishUnknown
	}
	// end_turn, stop_sequence, pause_turn, compaction, and what is yet to come.
	return transform.FinishStop
}
