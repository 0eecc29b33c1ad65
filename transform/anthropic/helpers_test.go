package anthropic

import (
	"errors"
	"strconv"
	"strings"
	"testing"

	"github.com/caddyllm/llmproxy/internal/jsonbytes"
	"github.com/caddyllm/llmproxy/internal/testplaces"
	"github.com/caddyllm/llmproxy/transform"
)

// The models that tests are written against: one of the newest, one that takes
// thinking by effort and by budget, one that has thinking by budget only, one
// without native schemas, one that refuses forced tools, and no Claude.
const (
	newest   = "claude-sonnet-5"
	mixed    = "claude-opus-4-6"
	budgeted = "claude-sonnet-4-5"
	old      = "claude-sonnet-4-0"
	unforced = "claude-sonnet-5-5"
	foreign  = "glm-4.6"
)

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

// say is a turn of texts.
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
	turn.CallID = id
	turn.At = place("/messages/9")
	return turn
}

// with appends parts to a turn.
func with(turn transform.Turn, parts ...transform.Part) transform.Turn {
	turn.Parts = append(turn.Parts, parts...)
	return turn
}

func textPart(text string) transform.Part {
	return transform.Part{Kind: transform.PartText, Text: transform.Quote(text)}
}

func callPart(id, name, arguments string) transform.Part {
	return transform.Part{
		Kind: transform.PartToolCall, At: place("/messages/1/tool_calls/0"),
		Call: transform.ToolCall{ID: id, Name: name, Arguments: []byte(arguments)},
	}
}

func thought(text, signature string) transform.Part {
	part := transform.Part{Kind: transform.PartReasoning, At: place("/messages/1/reasoning_details/0")}
	if text != "" {
		part.Text = transform.Quote(text)
	}
	if signature != "" {
		part.Opaque = opaque(transform.OpaqueSignature, transform.Quote(signature))
	}
	return part
}

func function(name, schema string) transform.Tool {
	tool := transform.Tool{Name: name, At: place("/tools/0")}
	if schema != "" {
		tool.Schema = jsonbytes.Value(schema)
	}
	return tool
}

func marked(part transform.Part, ttl string) transform.Part {
	part.Cache = &transform.CacheMark{TTL: ttl}
	return part
}

func pointer[T any](value T) *T { return &value }

func conversation(turns ...transform.Turn) *transform.Request {
	return &transform.Request{Turns: turns}
}

// encode encodes for a model that Anthropic serves.
func encode(t *testing.T, model string, r *transform.Request) (jsonbytes.Value, *transform.Losses) {
	t.Helper()
	return encodeWith(t, Codec{}, model, r)
}

func encodeWith(t *testing.T, codec Codec, model string, r *transform.Request) (jsonbytes.Value, *transform.Losses) {
	t.Helper()
	testplaces.Fill(r)
	var lost transform.Losses
	to := transform.Target{Model: model, Vendor: transform.VendorAnthropic}
	body, err := codec.AppendRequest(nil, r, to, &lost)
	if err != nil {
		t.Fatalf("AppendRequest: %v", err)
	}
	if err := jsonbytes.Check(body, 0); err != nil {
		t.Fatalf("invalid body: %v\n%s", err, body)
	}
	if err := jsonbytes.Value(body).Unique(""); err != nil {
		t.Fatalf("ambiguous body: %v\n%s", err, body)
	}
	return jsonbytes.Value(body), &lost
}

// refused encodes what must be refused.
func refused(t *testing.T, model string, r *transform.Request) *transform.Error {
	t.Helper()
	var lost transform.Losses
	prefix := []byte("kept")
	body, err := Codec{}.AppendRequest(prefix, r, transform.Target{Model: model, Vendor: transform.VendorAnthropic}, &lost)
	var refusal *transform.Error
	if !errors.As(err, &refusal) {
		t.Fatalf("got error %v and %s", err, body)
	}
	if refusal.Kind != transform.ErrBadRequest || refusal.Message == "" {
		t.Errorf("got %+v", refusal)
	}
	if string(body) != "kept" {
		t.Errorf("dst is now %q", body)
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
