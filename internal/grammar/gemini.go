package grammar

import (
	"bytes"
	"encoding/base64"
	"slices"
	"strings"

	"github.com/caddyllm/llmproxy/internal/jsonbytes"
)

// Gemini checks a stream of Gemini's format: server-sent events, or one array.
func Gemini(stream []byte, array bool) (failed bool, err error) {
	var f fault
	var list []jsonbytes.Value
	if array {
		if err := jsonbytes.Check(stream, 0); err != nil {
			f.need(false, err.Error(), stream)
			return false, f.err
		}
		for _, e := range jsonbytes.Parse(stream).Elements() {
			f.object(e)
			list = append(list, e)
		}
	} else {
		for _, e := range f.events(stream, "\r\n\r\n") {
			f.need(e.name == "", "an event with a name", e.data)
			list = append(list, e.data)
		}
	}
	if !f.need(len(list) > 0, "no events", stream) {
		return false, f.err
	}
	last := list[len(list)-1]
	if e := last.Get("error"); e != nil {
		f.need(number(e.Get("code")) >= 400 && text(e.Get("status")) != "" && isText(e.Get("message")), "no error", last)
		failed, list = true, list[:len(list)-1]
	}
	for i, frame := range list {
		f.frame(frame, !failed && i == len(list)-1)
		for _, name := range []string{"responseId", "modelVersion"} {
			f.need(isText(frame.Get(name)) && bytes.Equal(frame.Get(name), list[0].Get(name)), name+" is missing or another one", frame)
		}
	}
	return failed, f.err
}

var (
	geminiParts    = []string{"text", "thought", "thoughtSignature", "functionCall", "inlineData", "fileData"}
	geminiFinishes = []string{"STOP", "MAX_TOKENS", "SAFETY", "MALFORMED_FUNCTION_CALL"}
)

// frame checks an answer, or an event; last tells that all candidates end in it.
func (f *fault) frame(frame jsonbytes.Value, last bool) {
	f.need(frame.Get("error") == nil && frame.Get("candidates").Len() > 0, "no candidates", frame)
	for _, c := range frame.Get("candidates").Elements() {
		content := c.Get("content")
		f.need(content.Get("role").Is("model") && content.Get("parts").Len() > 0 && number(c.Get("index")) >= 0, "no role, parts or index", frame)
		for _, p := range content.Get("parts").Elements() {
			f.geminiPart(p)
		}
		f.need(last == slices.Contains(geminiFinishes, text(c.Get("finishReason"))), "a finishReason too early, or none", frame)
	}
	u := frame.Get("usageMetadata")
	f.need((u != nil) == last, "usage too early, or none", frame)
	if u != nil {
		said, _ := u.Get("candidatesTokenCount").Int()
		thought, _ := u.Get("thoughtsTokenCount").Int()
		f.need(f.counts(u, "promptTokenCount")+said+thought == f.counts(u, "totalTokenCount"), "usage does not add up", frame)
	}
}

func (f *fault) geminiPart(p jsonbytes.Value) {
	data := 0
	for key, value := range p.Members() {
		name := string(key)
		f.need(slices.Contains(geminiParts, name), "an unknown member of a part", p)
		switch name {
		case "thought":
		case "thoughtSignature":
			signature := text(value)
			_, err := base64.StdEncoding.DecodeString(signature)
			f.need(signature != "" && (err == nil || !strings.HasPrefix(signature, "bGxt")), "no signature", p)
		default:
			data++
		}
	}
	f.need(data == 1, "a part with no data, or more than one kind", p)
	if call := p.Get("functionCall"); call != nil {
		f.need(isText(call.Get("name")) && call.Get("args").Kind() == jsonbytes.Object, "a call without name or arguments", p)
	}
}

// GeminiAnswer checks a whole answer of Gemini's format.
func GeminiAnswer(body []byte) error {
	var f fault
	if a := jsonbytes.Value(body); f.object(a) {
		f.frame(a, true)
	}
	return f.err
}
