package recorded_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/caddyllm/llmproxy/transform"
)

// mostMembers is how many places of one request get a member that nobody knows.
const mostMembers = 500

// asked are the recorded requests of the formats that clients speak.
func asked(t testing.TB) (list []*recording) {
	for _, r := range answers(t) {
		switch r.wire {
		case "openai-chat", "openai-responses", "anthropic", "gemini":
			if r.request != nil {
				list = append(list, r)
			}
		}
	}
	return list
}

// targets are models of each provider format, in the order in which they are tried.
var targets = [...]struct{ dialect, provider, model string }{
	{"chat", "openai", "gpt-4o"},
	{"responses", "responses", "gpt-5"},
	{"messages", "anthropic", "claude-sonnet-4-5"},
	{"gemini", "gemini", "gemini-2.5-pro"},
	{"vertex", "vertex", "gemini-2.5-pro"},
	{"invoke", "vertex", "claude-sonnet-4-5"},
	{"converse", "bedrock", "amazon.nova-pro-v1:0"},
	{"cohere", "cohere", "command-a-03-2025"},
	{"mistral", "mistral", "mistral-large-latest"},
	{"ollama", "ollama", "llama3.2"},
}

// translate brings a client's request into a provider's format.
func translate(dialect, target string, request []byte) (body []byte, lost transform.Losses, err error) {
	r, err := clientCodecs[dialect].DecodeRequest(request, &lost)
	if err != nil {
		return nil, lost, err
	}
	model := ""
	for _, to := range targets {
		if to.dialect == target {
			model = to.model
		}
	}
	to := transform.Target{Model: model, Stream: r.Stream, Vendor: vendors[target]}
	body, err = providerCodecs[target].AppendRequest(nil, r, to, &lost)
	return body, lost, err
}

// A member that nobody knows is reported at its place, wherever it stands in a
// recorded request.
func TestUnknownMembersAreReportedWhereverTheyStand(t *testing.T) {
	inserted := 0
	for _, r := range asked(t) {
		t.Run(r.String(), func(t *testing.T) {
			dialect := wires[r.wire].dialect
			tree, err := parse(r.request)
			if err != nil {
				t.Fatal(err)
			}
			n := 0
			walk(tree.v, "", func(at string, v any) bool {
				object, ok := v.(map[string]any)
				if freeForm(dialect, at) {
					return false
				}
				if !ok || n >= mostMembers {
					return true
				}
				n++
				inserted++
				name := fmt.Sprintf("x_unknown_%d", n)
				object[name] = true
				for _, to := range targets {
					unknownMember(t, dialect, tree, at+"/"+name, to.dialect)
				}
				delete(object, name)
				return true
			})
		})
	}
	t.Logf("%d members", inserted)
}

func unknownMember(t *testing.T, dialect string, tree node, at, target string) {
	t.Helper()
	request, err := json.Marshal(tree.v)
	if err != nil {
		t.Fatal(err)
	}
	body, lost, err := translate(dialect, target, request)
	var e *transform.Error
	switch {
	case covered(lost.Dropped, at):
	case bytes.Contains(body, []byte(at[strings.LastIndexByte(at, '/')+1:])): // it was carried along
	case len(lost.Dropped) >= 64: // the report is full
	case errors.As(err, &e) && (strings.Contains(e.Message, at) || e.Param == at):
	case err != nil && len(lost.Refused) > 0: // it was never encoded
	default:
		t.Errorf("for %s: %s is not among %v (%v)", target, at, lost.Dropped, err)
	}
}
