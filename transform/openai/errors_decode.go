package openai

import (
	"bytes"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/caddyllm/llmproxy/internal/jsonbytes"
	"github.com/caddyllm/llmproxy/transform"
)

// maxErrorMessage bounds what is passed on of a provider's words, in bytes.
const maxErrorMessage = 2 << 10

// DecodeError reads the body of a failed answer of any provider of this
// format. Its message is the provider's, scrubbed; its Status is status.
func (Codec) DecodeError(status int, body []byte) *transform.Error {
	e := &transform.Error{Kind: transform.KindOfStatus(status), Status: status}
	root := jsonbytes.Parse(body)
	if jsonbytes.Check(body, 0) != nil {
		e.Message = page(body)
	} else {
		readError(e, root)
	}
	refine(e)
	if e.Message == "" {
		e.Message = "The provider answered with an error and did not say why."
	}
	return e
}

// readError finds the message, type, code and param in what providers send:
//
//	{"error":{message,type,code,param}}  OpenAI and most
//	{"error":"text", "code":…}           xAI, Ollama, Hugging Face
//	{"message":…, "type":…, "code":…}    Cerebras, Mistral, Azure's gateway
//	{"detail":"text" or [{msg}]}         FastAPI servers
//	{"errors":[{message,code}]}          Cloudflare
//	{"error_code":…, "message":…}        Databricks
//	{"base_resp":{status_code,status_msg}}  MiniMax
//	[{"error":…}]                        Google
func readError(e *transform.Error, root jsonbytes.Value) {
	switch root.Kind() {
	case jsonbytes.Array:
		for _, first := range root.Elements() {
			readError(e, first)
			return
		}
	case jsonbytes.String:
		setMessage(e, root)
		return
	}
	if reply := root.Get("base_resp"); reply.Kind() == jsonbytes.Object {
		setMessage(e, reply.Get("status_msg"))
	}
	for _, e1 := range root.Get("errors").Elements() {
		readFields(e, e1)
		break
	}
	inner := root.Get("error")
	switch inner.Kind() {
	case jsonbytes.Object:
		readFields(e, inner)
		readInner(e, inner)
		readMetadata(e, inner.Get("metadata"))
		if e.RetryAfter == 0 {
			e.RetryAfter = transform.ReadGoogleDetails(inner.Get("details")).RetryAfter
		}
	case jsonbytes.String:
		setMessage(e, inner)
	}
	readFields(e, root)
	setMessage(e, root.Get("detail"))
	for _, problem := range root.Get("detail").Elements() {
		setMessage(e, problem.Get("msg"))
	}
}

// readInner takes the code of Azure's filter where it stands one level deeper only.
func readInner(e *transform.Error, outer jsonbytes.Value) {
	for _, name := range [...]string{"innererror", "inner_error"} {
		if e.Code == "" {
			e.Code = codeOf(outer.Get(name).Get("code"), e.Type)
		}
	}
}

// readMetadata reads what OpenRouter adds: the error that it got itself, and of
// its own limits when they are reset, in milliseconds since 1970.
func readMetadata(e *transform.Error, metadata jsonbytes.Value) {
	readRaw(e, metadata.Get("raw"))
	text, _ := metadata.Get("headers").Get("X-RateLimit-Reset").Text()
	if at, err := strconv.ParseInt(text, 10, 64); err == nil && e.RetryAfter == 0 {
		if wait := time.Until(time.UnixMilli(at)); wait > 0 && wait <= transform.MaxWait {
			e.RetryAfter = wait
		}
	}
}

// readRaw adds what OpenRouter was told itself, which its own message does not
// say: the body of another provider's error, as a string.
func readRaw(e *transform.Error, raw jsonbytes.Value) {
	body, _ := raw.Text()
	if body == "" || len(body) > 64<<10 {
		return
	}
	inner := new(transform.Error)
	if jsonbytes.Check([]byte(body), 0) == nil {
		readError(inner, jsonbytes.Parse([]byte(body)))
	} else {
		inner.Message = page([]byte(body))
	}
	if inner.Message != "" {
		e.Message = oneLine(strings.TrimPrefix(e.Message+": "+inner.Message, ": "), maxErrorMessage)
	}
	if e.Type == "" {
		e.Type = inner.Type
	}
	if e.Code == "" {
		e.Code = inner.Code
	}
	e.RetryAfter = inner.RetryAfter
}

// readFields takes what is still unknown from an object.
func readFields(e *transform.Error, v jsonbytes.Value) {
	setMessage(e, v.Get("message"))
	for _, name := range [...]string{"type", "error_type"} {
		if kind, _ := v.Get(name).Text(); e.Type == "" && isWord(kind) {
			e.Type = kind
		}
	}
	for _, name := range [...]string{"code", "error_code"} {
		if e.Code == "" {
			e.Code = codeOf(v.Get(name), e.Type)
		}
	}
	if e.Param == "" {
		e.Param, _ = v.Get("param").Text()
		e.Param = oneLine(e.Param, 256)
	}
}

func setMessage(e *transform.Error, v jsonbytes.Value) {
	if message, _ := v.Text(); e.Message == "" {
		e.Message = oneLine(transform.Scrub(oneLine(message, 2*maxErrorMessage)), maxErrorMessage)
	}
}

// codeOf reads an error's code. A number that only repeats the HTTP status is
// none, as little as a sentence or the word that the type is already.
func codeOf(v jsonbytes.Value, kind string) string {
	code := wordOf(v)
	if n, err := strconv.Atoi(code); err == nil && n < 600 || code == kind {
		return ""
	}
	return code
}

// wordOf reads what is a string or a number, empty if it is neither or a sentence.
func wordOf(v jsonbytes.Value) string {
	if v.Kind() == jsonbytes.Number && len(v) <= 64 {
		return string(v)
	}
	if word, _ := v.Text(); isWord(word) {
		return word
	}
	return ""
}

func isWord(s string) bool {
	for _, r := range s {
		if r > unicode.MaxASCII || !unicode.IsLetter(r) && !unicode.IsDigit(r) && r != '_' && r != '-' && r != '.' {
			return false
		}
	}
	return s != "" && len(s) <= 64
}

// oneLine makes text valid, short and free of line ends and control characters.
func oneLine(s string, most int) string {
	s = strings.Join(strings.FieldsFunc(strings.ToValidUTF8(s, "�"), func(r rune) bool {
		return unicode.IsSpace(r) || unicode.IsControl(r)
	}), " ")
	if len(s) <= most {
		return s
	}
	for most > 0 && !utf8.RuneStart(s[most]) {
		most--
	}
	return s[:most] + "…"
}

// page makes a message of a body that is not JSON: plain text as it is, of an
// HTML page the title.
func page(body []byte) string {
	body = bytes.TrimSpace(body[:min(len(body), 64<<10)])
	if !bytes.HasPrefix(body, []byte("<")) {
		return oneLine(transform.Scrub(oneLine(string(body), 2*maxErrorMessage)), maxErrorMessage)
	}
	_, title, _ := bytes.Cut(body, []byte("<title>"))
	title, _, ok := bytes.Cut(title, []byte("</title>"))
	if !ok || len(title) == 0 || bytes.IndexByte(title, '<') >= 0 {
		return "The provider answered with an HTML page."
	}
	return oneLine(transform.Scrub(oneLine(string(title), 256)), 256)
}
