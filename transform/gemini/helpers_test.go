package gemini

import (
	"strings"
	"testing"

	"github.com/caddyllm/llmproxy/internal/jsonbytes"
	"github.com/caddyllm/llmproxy/internal/testplaces"
	"github.com/caddyllm/llmproxy/transform"
)

var google = transform.Target{Model: "gemini-2.5-flash", Vendor: transform.VendorGoogle}

// to is Google's model of that name.
func to(model string) transform.Target {
	return transform.Target{Model: model, Vendor: transform.VendorGoogle}
}

func say(s string) transform.Part {
	return transform.Part{Kind: transform.PartText, Text: transform.Quote(s)}
}

func call(id, name, arguments string) transform.Part {
	return transform.Part{Kind: transform.PartToolCall, Call: transform.ToolCall{ID: id, Name: name, Arguments: []byte(arguments)}}
}

func signed(p transform.Part, signature string) transform.Part {
	p.Opaque = transform.Opaque{Vendor: transform.VendorGoogle, Kind: transform.OpaqueSignature, Data: transform.Quote(signature)}
	return p
}

func turn(role transform.Role, parts ...transform.Part) transform.Turn {
	return transform.Turn{Role: role, Parts: parts}
}

func user(parts ...transform.Part) transform.Turn  { return turn(transform.RoleUser, parts...) }
func model(parts ...transform.Part) transform.Turn { return turn(transform.RoleAssistant, parts...) }
func sys(s string) transform.Turn                  { return turn(transform.RoleSystem, say(s)) }

func result(id, text string, parts ...transform.Part) transform.Turn {
	t := turn(transform.RoleTool, append([]transform.Part{say(text)}, parts...)...)
	t.CallID = id
	return t
}

// placed gives turns and parts the places that a client's request has.
func placed(r *transform.Request) *transform.Request {
	var root transform.Path
	messages := root.Key("messages")
	for i := range r.Turns {
		at := messages.Index(i)
		r.Turns[i].At = at
		for j := range r.Turns[i].Parts {
			content := at.Key("content")
			r.Turns[i].Parts[j].At = content.Index(j)
		}
	}
	tools := root.Key("tools")
	for i := range r.Tools {
		r.Tools[i].At = tools.Index(i)
	}
	testplaces.Fill(r)
	return r
}

// encode writes a request and checks that it is JSON.
func encode(t *testing.T, c Codec, r *transform.Request, target transform.Target) (string, *transform.Losses) {
	t.Helper()
	var lost transform.Losses
	body, err := c.AppendRequest([]byte("before"), placed(r), target, &lost)
	if err != nil {
		t.Fatal(err)
	}
	text := strings.TrimPrefix(string(body), "before")
	if err := jsonbytes.Check([]byte(text), 0); err != nil {
		t.Fatalf("not JSON: %v\n%s", err, text)
	}
	return text, &lost
}

// member is a member of a JSON object, by a path of names and numbers with
// slashes between them.
func member(t *testing.T, text, path string) string {
	t.Helper()
	v := jsonbytes.Parse([]byte(text))
	for name := range strings.SplitSeq(path, "/") {
		if v.Kind() == jsonbytes.Array {
			for i, e := range v.Elements() {
				if name == string(rune('0'+i)) {
					v = e
					break
				}
			}
			continue
		}
		v = v.Get(name)
	}
	return string(v)
}

func sameLosses(t *testing.T, lost *transform.Losses, dropped, refused string) {
	t.Helper()
	if got := strings.Join(lost.Dropped, " "); got != dropped {
		t.Errorf("dropped %q, want %q", got, dropped)
	}
	if got := strings.Join(lost.Refused, " "); got != refused {
		t.Errorf("refused %q, want %q", got, refused)
	}
}
