package recorded_test

import (
	"bytes"
	"encoding/json"
	"testing"
)

// conversation says where a client format has its turns.
var conversation = map[string]string{"chat": "messages", "responses": "input", "messages": "messages", "gemini": "contents"}

// A conversation's next turn begins with the bytes of the one before, so that
// the provider's cache of prompts is hit; and equal requests give equal bytes.
func TestTranslatedConversationsGrowAtTheirEnd(t *testing.T) {
	pairs := 0
	for _, r := range asked(t) {
		dialect := wires[r.wire].dialect
		tree, err := parse(r.request)
		if err != nil {
			t.Fatal(err)
		}
		turns := tree.get(conversation[dialect]).list()
		if r.has("tool-result") && len(r.tools) == 0 {
			continue // the client said other tools before, of which nothing is known
		}
		for cut := 1; cut < len(turns); cut++ {
			if !endsTurn(dialect, turns, cut) {
				continue
			}
			for _, to := range targets {
				pairs++
				t.Run(r.String()+"/"+to.dialect, func(t *testing.T) { growsAtItsEnd(t, dialect, to.dialect, r.request, cut) })
			}
		}
	}
	t.Logf("%d pairs of turns", pairs)
}

// endsTurn tells whether the client had its say before turn number cut, and the
// model began to answer there.
func endsTurn(dialect string, turns []node, cut int) bool {
	if dialect == "responses" {
		return !byModel(turns[cut-1]) && byModel(turns[cut])
	}
	role := turns[cut-1].get("role").text()
	next := turns[cut].get("role").text()
	return role != "assistant" && role != "model" && role != "system" && role != "developer" && (next == "assistant" || next == "model")
}

// byModel tells what the model said of what the client did.
func byModel(item node) bool {
	switch item.get("type").text() {
	case "function_call", "reasoning", "custom_tool_call", "item_reference", "web_search_call", "mcp_call", "code_interpreter_call":
		return true
	}
	return item.get("role").text() == "assistant"
}

func growsAtItsEnd(t *testing.T, dialect, target string, request []byte, cut int) {
	whole, _, err := translate(dialect, target, request)
	if err != nil {
		t.Fatal("not translated: ", err)
	}
	if again, _, _ := translate(dialect, target, request); !bytes.Equal(again, whole) {
		t.Errorf("the same request gave other bytes:\n%.300s\n%.300s", whole, again)
	}
	var turns []json.RawMessage
	if err := json.Unmarshal(topLevel(t, request)[conversation[dialect]], &turns); err != nil {
		t.Fatal(err)
	}
	first := "[" + string(bytes.Join(asBytes(turns[:cut]), []byte(","))) + "]"
	shorter, _, err := translate(dialect, target, withMember(t, request, conversation[dialect], first))
	if err != nil {
		t.Fatal("not translated: ", err)
	}
	end := -1
	for _, name := range []string{"messages", "contents", "input"} {
		if _, to := memberValue(t, shorter, name); to > 0 {
			end = to - 1 // its closing bracket
		}
	}
	if end < 0 {
		t.Fatalf("no turns in %.300s", shorter)
	}
	// A turn that the target cannot be told leaves two of the client's in a row:
	// what is new stands inside the last one's brackets then.
	if at := difference(whole, shorter); at < end && len(bytes.Trim(shorter[at:end], "]}")) > 0 {
		t.Errorf("turns 1 to %d differ at %d of %d:\n got %.200s\nwant %.200s", cut, at, end, clip(whole, at), clip(shorter, at))
	}
}

func asBytes(list []json.RawMessage) [][]byte {
	out := make([][]byte, len(list))
	for i := range list {
		out[i] = list[i]
	}
	return out
}
