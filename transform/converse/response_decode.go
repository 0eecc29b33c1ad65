package converse

import (
	"encoding/base64"
	"errors"
	"unicode/utf8"

	"github.com/caddyllm/llmproxy/internal/jsonbytes"
	"github.com/caddyllm/llmproxy/transform"
	"github.com/caddyllm/llmproxy/transform/blocks"
)

var errNoAnswer = errors.New("the answer is not in Converse's format")

// DecodeResponse reads an answer. It names neither itself nor its model.
func (c Codec) DecodeResponse(body []byte) (*transform.Response, error) {
	if err := jsonbytes.Check(body, 0); err != nil {
		return nil, err
	}
	a := &transform.Response{}
	content := reader{vendor: c.vendor()}
	var said, reason, fields, message jsonbytes.Value
	for name, value := range jsonbytes.Parse(body).Members() {
		switch string(name) {
		case "output":
			said = value.Get("message").Get("content")
		case "stopReason":
			reason = value
		case "additionalModelResponseFields":
			fields = value
		case "usage":
			a.Usage = tokensOf(value)
		case "serviceTier":
			a.ServiceTier = serviceTier(value)
		case "message":
			message = value
		}
	}
	switch {
	case said.Kind() == jsonbytes.Array:
	case message.Kind() == jsonbytes.String:
		return nil, decodeError(0, message)
	default:
		return nil, errNoAnswer
	}
	if e := spoiled(reason); e != nil {
		return nil, e
	}
	for _, block := range said.Elements() {
		content.read(block)
	}
	choice := transform.Choice{Parts: content.Parts(), Finish: blocks.Finish(reason, content.Calls > 0)}
	choice.StopSequence = stopSequence(fields)
	a.Choices = []transform.Choice{choice}
	return a, nil
}

// reader reads the content blocks of an answer.
type reader struct {
	blocks.Answer
	vendor transform.Vendor
}

// read adds a content block. What Bedrock's own tools do, and blocks of unknown
// kinds, are not for the client.
func (r *reader) read(block jsonbytes.Value) {
	for name, value := range block.Members() {
		switch string(name) {
		case "text":
			r.AddText(value)
		case "reasoningContent":
			r.readReasoning(value)
		case "toolUse":
			r.readCall(value)
		case "citationsContent":
			r.readCited(value)
		case "image":
			r.readImage(value)
		}
	}
}

func (r *reader) readReasoning(value jsonbytes.Value) {
	var opaque transform.Opaque
	thought := value.Get("reasoningText")
	if signature := thought.Get("signature"); signature.HasText() {
		opaque = transform.Opaque{Vendor: r.vendor, Kind: transform.OpaqueSignature, Data: signature}
	}
	if data := value.Get("redactedContent"); data.HasText() {
		opaque = redacted(r.vendor, data)
	}
	r.AddReasoning(thought.Get("text"), opaque)
}

// redacted is reasoning that may not be shown: bytes, in base64. Those of Claude
// are what Anthropic's own format has as a string.
func redacted(vendor transform.Vendor, data transform.Literal) transform.Opaque {
	o := transform.Opaque{Vendor: vendor, Kind: transform.OpaqueRedacted, Data: data}
	if vendor == transform.VendorAnthropic {
		plain, err := base64.StdEncoding.AppendDecode(nil, data.AppendText(nil))
		if err != nil || len(plain) == 0 || !utf8.Valid(plain) {
			return transform.Opaque{}
		}
		o.Data = jsonbytes.AppendBytes(nil, plain)
	}
	return o
}

func (r *reader) readCall(value jsonbytes.Value) {
	if !value.Get("type").Is(serverCall) {
		r.AddCall(value.Get("toolUseId"), value.Get("name"), value.Get("input"))
	}
}

// serverCall is the type of calls that Bedrock answers itself.
const serverCall = "server_tool_use"

// readCited reads texts with the sources that they have in common.
func (r *reader) readCited(value jsonbytes.Value) {
	start := r.Characters
	for _, text := range value.Get("content").Elements() {
		r.AddText(text.Get("text"))
	}
	for _, citation := range value.Get("citations").Elements() {
		r.AddCitation(citationOf(citation), start)
	}
}

// citationOf is a citation as blocks.Citation; nil for those of documents.
func citationOf(v jsonbytes.Value) []byte {
	return blocks.Citation(v.Get("location").Get("web").Get("url"), v.Get("title"))
}

func (r *reader) readImage(value jsonbytes.Value) {
	format, _ := value.Get("format").Text()
	data := value.Get("source").Get("bytes")
	if byExtension[format] == "image" && data.HasText() {
		r.Add(transform.Part{
			Kind: transform.PartImage, Media: transform.Media{Type: "image/" + format, Data: data.AppendText(nil)},
		})
	}
}
