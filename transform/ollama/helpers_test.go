package ollama

import (
	"fmt"
	"strings"
	"testing"

	"github.com/caddyllm/llmproxy/internal/jsonbytes"
	"github.com/caddyllm/llmproxy/internal/testplaces"
	"github.com/caddyllm/llmproxy/transform"
)

func say(s string) transform.Part {
	return transform.Part{Kind: transform.PartText, Text: transform.Quote(s)}
}

func thought(s string) transform.Part {
	return transform.Part{Kind: transform.PartReasoning, Text: transform.Quote(s)}
}

func calling(id, name, arguments string) transform.Part {
	return transform.Part{Kind: transform.PartToolCall, Call: transform.ToolCall{ID: id, Name: name, Arguments: []byte(arguments)}}
}

func image(m transform.Media) transform.Part {
	return transform.Part{Kind: transform.PartImage, Media: m}
}

func file(m transform.Media) transform.Part {
	return transform.Part{Kind: transform.PartFile, Media: m}
}

func turn(role transform.Role, parts ...transform.Part) transform.Turn {
	return transform.Turn{Role: role, Parts: parts}
}

func user(parts ...transform.Part) transform.Turn  { return turn(transform.RoleUser, parts...) }
func model(parts ...transform.Part) transform.Turn { return turn(transform.RoleAssistant, parts...) }

func result(id string, parts ...transform.Part) transform.Turn {
	t := turn(transform.RoleTool, parts...)
	t.CallID = id
	return t
}

// ask is a request of one question with what options add to it.
func ask(options ...func(*transform.Request)) *transform.Request {
	r := &transform.Request{Model: "m", Turns: []transform.Turn{user(say("q"))}}
	for _, option := range options {
		option(r)
	}
	return r
}

func rest(name, value string) func(*transform.Request) {
	return func(r *transform.Request) {
		r.Rest = append(r.Rest, transform.Member{Name: name, Value: jsonbytes.Value(value)})
	}
}

func tools(list ...transform.Tool) func(*transform.Request) {
	return func(r *transform.Request) { r.Tools = list }
}

func function(name, schema string) transform.Tool {
	return transform.Tool{Name: name, Schema: jsonbytes.Value(schema)}
}

// placed gives turns, parts and tools the places that a client's request has.
func placed(r *transform.Request) *transform.Request {
	var root transform.Path
	messages, tools := root.Key("messages"), root.Key("tools")
	for i := range r.Turns {
		at := messages.Index(i)
		r.Turns[i].At = at
		content := at.Key("content")
		for j := range r.Turns[i].Parts {
			r.Turns[i].Parts[j].At = content.Index(j)
		}
	}
	for i := range r.Tools {
		r.Tools[i].At = tools.Index(i)
	}
	testplaces.Fill(r)
	return r
}

var local = transform.Target{Model: "qwen3:4b"}

// encode writes a request, checks that it is JSON and the same each time, and
// returns it with what was lost.
func encode(t *testing.T, r *transform.Request, to transform.Target) (text, lost string) {
	t.Helper()
	var losses transform.Losses
	body, err := Codec{}.AppendRequest([]byte("before"), placed(r), to, &losses)
	if err != nil {
		t.Fatal(err)
	}
	text = strings.TrimPrefix(string(body), "before")
	if err := jsonbytes.Check([]byte(text), 0); err != nil {
		t.Fatalf("%v: %s", err, text)
	}
	if again, _ := (Codec{}).AppendRequest(nil, r, to, new(transform.Losses)); string(again) != text {
		t.Fatalf("%s\nis not\n%s", again, text)
	}
	for _, pointer := range losses.Dropped {
		lost += " " + pointer
	}
	for _, pointer := range losses.Refused {
		lost = strings.Replace(lost, " "+pointer, " !"+pointer, 1)
	}
	return text, strings.TrimSpace(lost)
}

// sketch is an answer's parts in few words.
func sketch(parts []transform.Part) string {
	var b strings.Builder
	for _, p := range parts {
		switch p.Kind {
		case transform.PartText:
			fmt.Fprintf(&b, "text %s\n", p.Text)
		case transform.PartReasoning:
			fmt.Fprintf(&b, "thought %s\n", p.Text)
		case transform.PartToolCall:
			fmt.Fprintf(&b, "call %s %s %s\n", p.Call.ID, p.Call.Name, p.Call.Arguments)
		case transform.PartCitation:
			fmt.Fprintf(&b, "citation %s\n", p.Citation)
		}
	}
	return b.String()
}

// script is deltas in few words.
func script(deltas []transform.Delta) string {
	var b strings.Builder
	for _, d := range deltas {
		switch d.Kind {
		case transform.DeltaStart:
			fmt.Fprintf(&b, "start %s %d\n", d.Model, d.Created)
		case transform.DeltaText:
			fmt.Fprintf(&b, "%d text %s\n", d.Part, d.Text)
		case transform.DeltaReasoning:
			fmt.Fprintf(&b, "%d thought %s\n", d.Part, d.Text)
		case transform.DeltaToolStart:
			fmt.Fprintf(&b, "%d call %d %s %s\n", d.Part, d.Tool, d.Call.ID, d.Call.Name)
		case transform.DeltaToolArguments:
			fmt.Fprintf(&b, "%d arguments %d %s\n", d.Part, d.Tool, d.Text)
		case transform.DeltaPartEnd:
			fmt.Fprintf(&b, "%d end\n", d.Part)
		case transform.DeltaCitation:
			fmt.Fprintf(&b, "%d citation %s\n", d.Part, d.Citation)
		case transform.DeltaLogprobs:
			fmt.Fprintf(&b, "logprobs %s\n", d.Logprobs)
		case transform.DeltaFinish:
			fmt.Fprintf(&b, "finish %s\n", d.Finish)
		case transform.DeltaUsage:
			fmt.Fprintf(&b, "usage %d %d\n", d.Usage.Input, d.Usage.Output)
		case transform.DeltaError:
			fmt.Fprintf(&b, "error %d %s\n", d.Err.Kind, d.Err.Message)
		}
	}
	return b.String()
}
