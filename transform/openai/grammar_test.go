package openai

import (
	"bytes"
	"encoding/json"
	"slices"
	"testing"

	"github.com/caddyllm/llmproxy/internal/sse"
)

// checkStream fails the test unless a stream follows the grammar that OpenAI's
// SDKs take for granted.
func checkStream(t *testing.T, stream []byte, usage bool) {
	t.Helper()
	type call struct {
		Index    *int
		ID, Type string
		Function *struct{ Name, Arguments *string }
		Custom   *struct{ Name, Input *string }
	}
	type chunk struct {
		ID, Object, Model string
		Created           *int64
		Error             json.RawMessage
		Choices           *[]struct {
			Index        *int
			Delta        map[string]json.RawMessage
			FinishReason json.RawMessage `json:"finish_reason"`
		}
		Usage json.RawMessage
	}
	list := events(t, stream)
	list = slices.DeleteFunc(list, func(e sse.Event) bool { return e.Data == nil })
	if len(list) == 0 || !bytes.Equal(list[len(list)-1].Data, doneSentinel) {
		t.Fatalf("does not end with [DONE]: %s", stream)
	}
	roles, finishes, calls := map[int]bool{}, map[int]bool{}, map[int]int{}
	id, counted := "", false
	for _, e := range list[:len(list)-1] {
		var c chunk
		if err := json.Unmarshal(e.Data, &c); err != nil {
			t.Fatalf("%v: %s", err, e.Data)
		}
		if id == "" {
			id = c.ID
		}
		if c.ID == "" || c.ID != id || c.Object != "chat.completion.chunk" || c.Created == nil || c.Choices == nil || c.Error != nil || e.Name != nil {
			t.Fatalf("no chunk, or another id: %s", e.Data)
		}
		if counted {
			t.Errorf("a chunk after usage: %s", e.Data)
		}
		if usage && c.Usage == nil || !usage && c.Usage != nil {
			t.Errorf("usage: %s", e.Data)
		}
		if len(c.Usage) > 0 && c.Usage[0] == '{' {
			counted = true
			if len(*c.Choices) > 0 {
				t.Errorf("usage beside choices: %s", e.Data)
			}
		}
		for _, choice := range *c.Choices {
			i := *choice.Index
			if !roles[i] && string(choice.Delta["role"]) != `"assistant"` {
				t.Errorf("no role first: %s", e.Data)
			}
			if finishes[i] || choice.Delta == nil || choice.FinishReason == nil {
				t.Errorf("after the finish, no delta or no finish_reason: %s", e.Data)
			}
			roles[i] = true
			finishes[i] = string(choice.FinishReason) != "null"
			var part []call
			json.Unmarshal(choice.Delta["tool_calls"], &part)
			for _, p := range part {
				switch f, c := p.Function, p.Custom; {
				case (f == nil) == (c == nil) || f != nil && f.Arguments == nil || c != nil && c.Input == nil:
					t.Errorf("not a piece of either kind of call: %s", e.Data)
				case p.Index == nil || *p.Index > calls[i]:
					t.Errorf("a call out of order: %s", e.Data)
				case *p.Index == calls[i]:
					calls[i]++
					if function, custom := f != nil && f.Name != nil, c != nil && c.Name != nil; p.ID == "" || p.Type == "function" != function || p.Type == "custom" != custom {
						t.Errorf("a call begins without id, type or name: %s", e.Data)
					}
				case p.ID != "":
					t.Errorf("a call has a second id: %s", e.Data)
				}
			}
			if calls[i] > 0 && string(choice.FinishReason) == `"stop"` {
				t.Errorf("stop with calls: %s", e.Data)
			}
		}
	}
	for i := range roles {
		if !finishes[i] {
			t.Errorf("choice %d does not finish", i)
		}
	}
	if len(roles) == 0 || usage && !counted {
		t.Errorf("no choice or no usage: %s", stream)
	}
}

// checkAnswer does the same for a plain answer.
func checkAnswer(t *testing.T, body []byte) {
	t.Helper()
	var a struct {
		ID, Object, Model string
		Created           *int64
		Choices           []struct {
			Index        *int
			Message      map[string]json.RawMessage
			Logprobs     json.RawMessage
			FinishReason string `json:"finish_reason"`
		}
		Usage *struct {
			Prompt     *int64 `json:"prompt_tokens"`
			Completion *int64 `json:"completion_tokens"`
			Total      *int64 `json:"total_tokens"`
		}
	}
	if err := json.Unmarshal(body, &a); err != nil {
		t.Fatalf("%v: %s", err, body)
	}
	if a.ID == "" || a.Object != "chat.completion" || a.Created == nil || len(a.Choices) == 0 || a.Usage == nil {
		t.Fatalf("no answer: %s", body)
	}
	if *a.Usage.Prompt+*a.Usage.Completion != *a.Usage.Total {
		t.Errorf("usage does not add up: %s", body)
	}
	for _, c := range a.Choices {
		if c.Index == nil || c.FinishReason == "" || c.Logprobs == nil || c.Message["content"] == nil || c.Message["refusal"] == nil || string(c.Message["role"]) != `"assistant"` {
			t.Errorf("a choice lacks something: %s", body)
		}
		var calls []struct {
			ID, Type string
			Function struct{ Arguments *string }
		}
		json.Unmarshal(c.Message["tool_calls"], &calls)
		for _, call := range calls {
			if call.ID == "" || call.Type == "function" && call.Function.Arguments == nil {
				t.Errorf("a call lacks something: %s", body)
			}
		}
	}
}
