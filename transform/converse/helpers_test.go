package converse

import (
	"errors"
	"strconv"
	"strings"
	"testing"

	"github.com/caddyllm/llmproxy/internal/jsonbytes"
	"github.com/caddyllm/llmproxy/internal/testplaces"
	"github.com/caddyllm/llmproxy/transform"
	"github.com/caddyllm/llmproxy/transform/blocks"
)

// The models that tests are written against: Amazon's old and new ones, one that
// thinks by effort and one by budget of Claude, one that cannot be forced to
// anything, one with native schemas, Mistral's, one without a system prompt, and
// two that do not tell what they are.
const (
	nova     = "us.amazon.nova-pro-v1:0"
	nova2    = "us.amazon.nova-2-lite-v1:0"
	adaptive = "us.anthropic.claude-opus-4-6-v1"
	budgeted = "anthropic.claude-sonnet-4-5-20250929-v1:0"
	llama    = "meta.llama3-3-70b-instruct-v1:0"
	gptOSS   = "openai.gpt-oss-120b-1:0"
	mistral  = "mistral.pixtral-large-2502-v1:0"
	titan    = "amazon.titan-text-lite-v1"
	imported = "arn:aws:bedrock:us-east-1:1:imported-model/x"
	profiled = "arn:aws:bedrock:us-east-1:1:application-inference-profile/x"
)

var allModels = []string{nova, nova2, adaptive, budgeted, llama, gptOSS, mistral, titan, imported, profiled, "anthropic.claude-v2", "us.anthropic.claude-sonnet-5-5"}

// place is the path of a JSON pointer.
func place(pointer string) transform.Path {
	at := transform.Path{}
	for _, token := range strings.Split(pointer, "/")[1:] {
		parent := at
		if i, err := strconv.Atoi(token); err == nil {
			at = parent.Index(i)
		} else {
			at = parent.Key(token)
		}
	}
	return at
}

func say(role transform.Role, texts ...string) transform.Turn {
	turn := transform.Turn{Role: role}
	for _, text := range texts {
		turn.Parts = append(turn.Parts, textPart(text))
	}
	return turn
}

func user(texts ...string) transform.Turn      { return say(transform.RoleUser, texts...) }
func assistant(texts ...string) transform.Turn { return say(transform.RoleAssistant, texts...) }
func system(texts ...string) transform.Turn    { return say(transform.RoleSystem, texts...) }

// result is the answer to a tool call.
func result(id string, texts ...string) transform.Turn {
	turn := say(transform.RoleTool, texts...)
	turn.CallID, turn.At = id, place("/messages/9")
	return turn
}

func failed(turn transform.Turn) transform.Turn { turn.IsError = true; return turn }

func with(turn transform.Turn, parts ...transform.Part) transform.Turn {
	turn.Parts = append(turn.Parts, parts...)
	return turn
}

func textPart(text string) transform.Part {
	return transform.Part{Kind: transform.PartText, Text: transform.Quote(text), At: place("/messages/0/content/0")}
}

func callPart(id, name, arguments string) transform.Part {
	return transform.Part{
		Kind: transform.PartToolCall, At: place("/messages/1/tool_calls/0"),
		Call: transform.ToolCall{ID: id, Name: name, Arguments: []byte(arguments)},
	}
}

func thought(text string, o transform.Opaque) transform.Part {
	part := transform.Part{Kind: transform.PartReasoning, Opaque: o, At: place("/messages/1/reasoning_details/0")}
	if text != "" {
		part.Text = transform.Quote(text)
	}
	return part
}

func signature(vendor transform.Vendor, data string) transform.Opaque {
	return transform.Opaque{Vendor: vendor, Kind: transform.OpaqueSignature, Data: transform.Quote(data)}
}

func file(kind transform.PartKind, m transform.Media) transform.Part {
	return transform.Part{Kind: kind, Media: m, At: place("/messages/0/content/1")}
}

func function(name, schema string) transform.Tool {
	return transform.Tool{Name: name, Schema: jsonbytes.Value(schema), At: place("/tools/0")}
}

func marked(part transform.Part, ttl string) transform.Part {
	part.Cache = &transform.CacheMark{TTL: ttl}
	return part
}

func pointer[T any](value T) *T { return &value }

func conversation(turns ...transform.Turn) *transform.Request {
	return &transform.Request{Turns: turns}
}

// targetOf is a model as the provider would have it.
func targetOf(model string) transform.Target {
	to := transform.Target{Model: model, Vendor: transform.VendorAmazon}
	if strings.Contains(model, "claude") {
		to.Vendor = transform.VendorAnthropic
	}
	return to
}

func encode(t *testing.T, model string, r *transform.Request) (jsonbytes.Value, *transform.Losses) {
	t.Helper()
	testplaces.Fill(r)
	var lost transform.Losses
	body, err := Codec{}.AppendRequest(nil, r, targetOf(model), &lost)
	if err != nil {
		t.Fatalf("AppendRequest: %v", err)
	}
	checkBody(t, model, body)
	return jsonbytes.Value(body), &lost
}

// refused encodes what must be refused.
func refused(t *testing.T, model string, r *transform.Request) *transform.Error {
	t.Helper()
	var lost transform.Losses
	body, err := Codec{}.AppendRequest([]byte("kept"), r, targetOf(model), &lost)
	var refusal *transform.Error
	if !errors.As(err, &refusal) {
		t.Fatalf("got error %v and %s", err, body)
	}
	if refusal.Kind != transform.ErrBadRequest || refusal.Message == "" || string(body) != "kept" {
		t.Errorf("got %+v, dst is %q", refusal, body)
	}
	return refusal
}

func wantText(t *testing.T, what string, got []byte, want string) {
	t.Helper()
	if string(got) != want {
		t.Errorf("%s:\n got %s\nwant %s", what, got, want)
	}
}

// wantLosses compares pointers; those that are essential begin with "!".
func wantLosses(t *testing.T, lost *transform.Losses, want ...string) {
	t.Helper()
	var got []string
	for _, pointer := range lost.Dropped {
		for _, essential := range lost.Refused {
			if essential == pointer {
				pointer = "!" + pointer
			}
		}
		got = append(got, pointer)
	}
	if strings.Join(got, " ") != strings.Join(want, " ") {
		t.Errorf("losses:\n got %v\nwant %v", got, want)
	}
}

// checkBody checks what Bedrock demands of every body.
func checkBody(t *testing.T, model string, text []byte) {
	t.Helper()
	body := jsonbytes.Value(text)
	if jsonbytes.Check(body, 0) != nil || body.Unique("") != nil || body.Get("additionalModelRequestFields").Unique("") != nil {
		t.Fatalf("invalid: %s", body)
	}
	if tools := body.Get("toolConfig"); tools != nil && tools.Get("tools").Len() == 0 {
		t.Errorf("no tools: %s", body)
	}
	checker := bodyChecker{t: t, body: body, calls: map[string]bool{}}
	for i, message := range body.Get("messages").Elements() {
		checker.message(i, message)
	}
	for _, open := range checker.calls {
		if open {
			t.Errorf("open calls: %s", body)
		}
	}
	if checker.tools && body.Get("toolConfig") == nil {
		t.Errorf("calls without tools: %s", body)
	}
	for _, b := range body.Get("system").Elements() {
		if b.Get("cachePoint") == nil && b.Get("text").Blank() {
			t.Errorf("blank system: %s", body)
		}
	}
}

type bodyChecker struct {
	t     *testing.T
	body  jsonbytes.Value
	last  string
	calls map[string]bool
	tools bool
}

func (c *bodyChecker) message(i int, message jsonbytes.Value) {
	role, _ := message.Get("role").Text()
	if role == c.last || i == 0 && role != blocks.User || message.Get("content").Len() == 0 {
		c.t.Errorf("message %d: %s", i, c.body)
	}
	results, kind := 0, ""
	texts, documents := 0, 0
	for j, block := range message.Get("content").Elements() {
		for name, value := range block.Members() {
			switch kind = string(name); kind {
			case "text":
				texts++
				if value.Blank() {
					c.t.Errorf("blank text: %s", c.body)
				}
			case "document":
				documents++
			case "toolUse":
				id, _ := value.Get("toolUseId").Text()
				name, _ := value.Get("name").Text()
				if c.calls[id] || !blocks.IsName(id) || len(id) > 64 || !blocks.IsName(name) || len(name) > 64 || role != blocks.Assistant {
					c.t.Errorf("bad call %q: %s", id, c.body)
				}
				c.calls[id], c.tools = true, true
			case "toolResult":
				id, _ := value.Get("toolUseId").Text()
				if !c.calls[id] || role != blocks.User || j != results || value.Get("content").Len() == 0 {
					c.t.Errorf("bad result %q: %s", id, c.body)
				}
				c.calls[id] = false
				results++
			case "cachePoint":
				if j > 0 && results == j {
					results++ // behind a result it is part of the results
				}
			}
		}
	}
	if kind == "reasoningContent" {
		c.t.Errorf("ends with reasoning: %s", c.body)
	}
	if documents > 0 && texts == 0 {
		c.t.Errorf("document without text: %s", c.body)
	}
	c.last = role
}
