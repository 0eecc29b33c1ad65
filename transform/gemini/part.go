package gemini

import (
	"errors"
	"strings"

	"github.com/caddyllm/llmproxy/internal/jsonbytes"
	"github.com/caddyllm/llmproxy/transform"
)

// errPartialArguments: we never ask for arguments in pieces (Vertex's
// streamFunctionCallArguments), and a call whose arguments are to follow must
// not pass for one without any.
var errPartialArguments = errors.New("gemini: function call with arguments in pieces")

// toolCall reads a functionCall.
func (p *part) toolCall() (transform.ToolCall, error) {
	call := transform.ToolCall{Arguments: []byte("{}")}
	if jsonbytes.Check(p.call, 0) != nil {
		return call, errNoAnswer
	}
	for key, value := range p.call.Members() {
		switch string(key) {
		case "id":
			call.ID, _ = value.Text()
		case "name":
			call.Name, _ = value.Text()
		case "args":
			if value.Kind() == jsonbytes.Object {
				call.Arguments = jsonbytes.AppendCompact(nil, value)
			}
		case "partialArgs", "willContinue":
			return call, errPartialArguments
		}
	}
	if call.ID == "" {
		call.ID = transform.NewCallID()
	}
	return call, nil
}

// kind is what the part is. Parts of server-side tools (toolCall, toolResponse)
// and those of kinds that are not known yet are none.
func (p *part) kind() (kind transform.PartKind, ok bool) {
	switch {
	case p.call != nil:
		return transform.PartToolCall, true
	case p.inline != nil:
		return mediaKind(p.inline.Get("mimeType")), true
	case p.file != nil:
		return mediaKind(p.file.Get("mimeType")), true
	case p.thought:
		return transform.PartReasoning, true
	}
	return transform.PartText, p.text != nil || p.code != nil || p.result != nil
}

func mediaKind(mime jsonbytes.Value) transform.PartKind {
	text, _ := mime.Text()
	return kindOfMedia(text)
}

func kindOfMedia(mime string) transform.PartKind {
	switch {
	case strings.HasPrefix(mime, "image/"):
		return transform.PartImage
	case strings.HasPrefix(mime, "audio/"):
		return transform.PartAudio
	}
	return transform.PartFile
}

// media reads inlineData or fileData.
func (p *part) media() (transform.Media, error) {
	var m transform.Media
	from := p.inline
	if from == nil {
		from = p.file
	}
	if jsonbytes.Check(from, 0) != nil {
		return m, errNoAnswer
	}
	for key, value := range from.Members() {
		switch string(key) {
		case "mimeType":
			m.Type, _ = value.Text()
		case "data":
			m.Data = value.AppendText(nil)
		case "fileUri":
			m.URL, _ = value.Text()
		case "displayName":
			m.Name, _ = value.Text()
		}
	}
	return m, nil
}

// mediaText is a Markdown link to the media: streams have no deltas for any.
func (p *part) mediaText() (transform.Literal, error) {
	media, err := p.media()
	if err != nil {
		return nil, err
	}
	text := "[file]("
	switch kind, _ := p.kind(); kind {
	case transform.PartImage:
		text = "![image]("
	case transform.PartAudio:
		text = "[audio]("
	}
	if media.URL != "" {
		return transform.Quote(text + media.URL + ")"), nil
	}
	return transform.Quote(text + "data:" + media.Type + ";base64," + string(media.Data) + ")"), nil
}

// codeText is code that the model ran, or its output, as a Markdown block.
func (p *part) codeText() (transform.Literal, error) {
	text, fence := p.code.Get("code"), "```\\n"
	if p.code == nil {
		text = p.result.Get("output")
	} else if p.code.Get("language").Is("PYTHON") {
		fence = "```python\\n"
	}
	if !checked(&text) {
		return nil, errNoAnswer
	}
	if text == nil {
		return transform.Literal(`""`), nil
	}
	block := append([]byte{'"'}, fence...)
	block = append(block, text[1:len(text)-1]...)
	return append(block, "\\n```\\n\""...), nil
}

// opaque is the part's signature.
func (p *part) opaque() transform.Opaque {
	if len(p.signature) <= len(`""`) {
		return transform.Opaque{}
	}
	return transform.Opaque{Vendor: transform.VendorGoogle, Kind: transform.OpaqueSignature, Data: p.signature}
}
