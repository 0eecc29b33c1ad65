package responses

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/caddyllm/llmproxy/transform"
)

// turnsOf writes turns in words, by which they are compared. The system's are
// joined: they may become the instructions.
func turnsOf(t testing.TB, turns []transform.Turn) string {
	var out strings.Builder
	system := ""
	for _, turn := range turns {
		role := turn.Role
		if role == transform.RoleDeveloper {
			role = transform.RoleSystem
		}
		line := fmt.Sprintf("[%d %s %s", role, turn.CallID, turn.ToolName)
		for _, p := range turn.Parts {
			line += fmt.Sprintf(" {%d %s %s %s %v %s %s %s %s %s %q %v}", p.Kind, p.Text, p.Call.ID, p.Call.Name, p.Call.Custom, p.Call.Arguments,
				p.Media.Type, p.Media.Data, p.Media.URL, p.Media.Detail, opaqueWord(&p.Opaque), string(p.Citation))
		}
		if role == transform.RoleSystem {
			system += line
		} else {
			out.WriteString(line + "]\n")
		}
	}
	return system + out.String()
}

// machine checks a stream against the grammar of this format, event by event.
type machine struct {
	t     testing.TB
	items []*checked
}

type checked struct {
	kind, id  string
	done      bool
	parts     []*checkedPart
	arguments string
	argsDone  bool
	final     json.RawMessage
}

type checkedPart struct {
	kind, text     string
	textDone, done bool
	annotations    int
	logprobs       int
}

type wireEvent struct {
	Type     string
	Number   *int   `json:"sequence_number"`
	Output   *int   `json:"output_index"`
	Content  *int   `json:"content_index"`
	Summary  *int   `json:"summary_index"`
	ItemID   string `json:"item_id"`
	Delta    *string
	Text     *string
	Refusal  *string
	Args     *string `json:"arguments"`
	Input    *string
	Name     *string
	Logprobs *[]json.RawMessage
	Part     *struct {
		Type          string
		Text, Refusal *string
		Annotations   *[]json.RawMessage
		Logprobs      *[]json.RawMessage
	}
	Item            json.RawMessage
	Annotation      json.RawMessage
	AnnotationIndex *int `json:"annotation_index"`
	Response        json.RawMessage
	Error           json.RawMessage
}

// checkStream fails the test unless a stream that ended well follows the grammar.
func checkStream(t testing.TB, stream []byte) { checkGrammar(t, stream, false) }

// checkGrammar does so for streams that may have failed.
func checkGrammar(t testing.TB, stream []byte, mayFail bool) {
	t.Helper()
	m := &machine{t: t}
	list := eventsOf(t, stream)
	if len(list) == 0 {
		t.Fatalf("no events: %q", stream)
	}
	id := ""
	failed := false
	for i, raw := range list {
		var e wireEvent
		if err := json.Unmarshal(raw.Data, &e); err != nil {
			t.Fatalf("%v: %s", err, raw.Data)
		}
		if e.Type != string(raw.Name) || e.Number == nil || *e.Number != i {
			t.Fatalf("event %d has another name or number: %s %s", i, raw.Name, raw.Data)
		}
		switch {
		case e.Type == "error":
			if !mayFail || e.Error == nil || i < len(list)-2 {
				t.Fatalf("an error: %s", raw.Data)
			}
			failed = true
			if i == 0 && len(list) > 1 {
				t.Fatalf("events after an error that came first")
			}
			continue
		case failed:
			if e.Type != "response.failed" {
				t.Fatalf("%s after an error", e.Type)
			}
		case i == 0 && e.Type != "response.created", i == 1 && e.Type != "response.in_progress":
			t.Fatalf("event %d is %s", i, e.Type)
		}
		if e.Response != nil {
			var r struct{ ID, Status string }
			json.Unmarshal(e.Response, &r)
			if id == "" {
				id = r.ID
			}
			if r.ID == "" || r.ID != id {
				t.Fatalf("another response: %s", raw.Data)
			}
			status := strings.TrimPrefix(e.Type, "response.")
			if status == "created" {
				status = "in_progress"
			}
			if status != r.Status {
				t.Fatalf("%s with status %s", e.Type, r.Status)
			}
			if i < 2 != (r.Status == "in_progress") || i >= 2 && i != len(list)-1 {
				t.Fatalf("%s in the place of event %d of %d", e.Type, i, len(list))
			}
			checkAnswer(t, e.Response)
			if i >= 2 && r.Status != "failed" {
				m.last(e.Response)
			}
			continue
		}
		if i < 2 || i == len(list)-1 {
			t.Fatalf("no response in event %d: %s", i, raw.Data)
		}
		m.event(&e, raw.Data)
	}
	if !mayFail && failed {
		t.Fatal("failed")
	}
}

func (m *machine) fatal(data []byte, what string) {
	m.t.Helper()
	m.t.Fatalf("%s: %s", what, data)
}

func (m *machine) event(e *wireEvent, data []byte) {
	m.t.Helper()
	if e.Output == nil {
		m.fatal(data, "no output_index")
	}
	if e.Type == "response.output_item.added" || e.Type == "response.output_item.done" {
		m.item(e, data)
		return
	}
	if *e.Output >= len(m.items) || m.items[*e.Output].done || m.items[*e.Output].id != e.ItemID {
		m.fatal(data, "no such item, or it is done")
	}
	it := m.items[*e.Output]
	group, verb := e.Type[len("response."):strings.LastIndexByte(e.Type, '.')], e.Type[strings.LastIndexByte(e.Type, '.')+1:]
	switch group {
	case "function_call_arguments", "custom_tool_call_input":
		m.arguments(it, e, data, group, verb)
		return
	}
	number := e.Content
	if strings.HasPrefix(group, "reasoning_summary") {
		number = e.Summary
	}
	if number == nil {
		m.fatal(data, "no content_index or summary_index")
	}
	if verb == "added" && (group == "content_part" || group == "reasoning_summary_part") {
		open := len(it.parts) > 0 && !it.parts[len(it.parts)-1].done
		if *number != len(it.parts) || open || e.Part == nil {
			m.fatal(data, "a part out of order")
		}
		want := "message"
		if group != "content_part" {
			want = "reasoning"
		}
		if it.kind != want {
			m.fatal(data, "a part of another kind of item")
		}
		it.parts = append(it.parts, &checkedPart{kind: e.Part.Type})
		return
	}
	if *number != len(it.parts)-1 || it.parts[*number].done {
		m.fatal(data, "no such part, or it is done")
	}
	m.part(it.parts[*number], e, data, group, verb)
}

func (m *machine) item(e *wireEvent, data []byte) {
	m.t.Helper()
	var item struct {
		ID, Type, Status string
		CallID           string `json:"call_id"`
		Name             string
		Arguments, Input *string
		Content, Summary *[]json.RawMessage
	}
	if json.Unmarshal(e.Item, &item) != nil || item.ID == "" {
		m.fatal(data, "no item")
	}
	switch item.Type {
	case "message":
		if item.Content == nil {
			m.fatal(data, "no content")
		}
	case "reasoning":
		if item.Summary == nil {
			m.fatal(data, "no summary")
		}
	case "function_call", "custom_tool_call":
		if item.CallID == "" || (item.Type == "function_call") != (item.Arguments != nil) || (item.Type == "custom_tool_call") != (item.Input != nil) {
			m.fatal(data, "no call")
		}
	default:
		m.fatal(data, "an item of another kind")
	}
	if strings.HasSuffix(e.Type, "added") {
		if *e.Output != len(m.items) || item.Status != "" && item.Status != "in_progress" {
			m.fatal(data, "an item out of order")
		}
		for _, other := range m.items {
			if other.id == item.ID {
				m.fatal(data, "an id that another item has")
			}
		}
		m.items = append(m.items, &checked{kind: item.Type, id: item.ID})
		return
	}
	if *e.Output >= len(m.items) {
		m.fatal(data, "no such item")
	}
	it := m.items[*e.Output]
	if it.done || it.id != item.ID || it.kind != item.Type || item.Status != "" && item.Status != "completed" && item.Status != "incomplete" {
		m.fatal(data, "another item, or done before")
	}
	for _, p := range it.parts {
		if !p.done {
			m.fatal(data, "a part is open")
		}
	}
	switch item.Type {
	case "function_call":
		if !it.argsDone || *item.Arguments != it.arguments || it.arguments == "" {
			m.fatal(data, "arguments")
		}
	case "custom_tool_call":
		if !it.argsDone || *item.Input != it.arguments {
			m.fatal(data, "input")
		}
	case "message":
		if len(*item.Content) != len(it.parts) || len(it.parts) == 0 {
			m.fatal(data, "content")
		}
	case "reasoning":
		if len(*item.Summary) != len(it.parts) {
			m.fatal(data, "summary")
		}
	}
	it.done, it.final = true, e.Item
}

func (m *machine) arguments(it *checked, e *wireEvent, data []byte, group, verb string) {
	m.t.Helper()
	want := "function_call"
	whole := e.Args
	if group == "custom_tool_call_input" {
		want, whole = "custom_tool_call", e.Input
	}
	if it.kind != want || it.argsDone {
		m.fatal(data, "arguments of no call, or after their end")
	}
	if verb == "delta" {
		it.arguments += *e.Delta
		return
	}
	if whole == nil || *whole != it.arguments || want == "function_call" && e.Name == nil {
		m.fatal(data, "arguments that are not the sum of their deltas")
	}
	it.argsDone = true
}

func (m *machine) part(p *checkedPart, e *wireEvent, data []byte, group, verb string) {
	m.t.Helper()
	kinds := map[string]string{"output_text": "output_text", "refusal": "refusal", "reasoning_summary_text": "summary_text", "output_text.annotation": "output_text"}
	if want, ok := kinds[group]; ok && want != p.kind {
		m.fatal(data, "an event of another kind of part")
	}
	switch group {
	case "output_text", "refusal", "reasoning_summary_text":
		if p.textDone {
			m.fatal(data, "text after its end")
		}
		if (e.Logprobs != nil) != (group == "output_text") {
			m.fatal(data, "logprobs")
		}
		if verb == "delta" {
			p.text += *e.Delta
			if e.Logprobs != nil {
				p.logprobs += len(*e.Logprobs)
			}
			return
		}
		text := e.Text
		if group == "refusal" {
			text = e.Refusal
		}
		if verb != "done" || text == nil || *text != p.text || e.Logprobs != nil && len(*e.Logprobs) != p.logprobs {
			m.fatal(data, "text that is not the sum of its deltas")
		}
		p.textDone = true
	case "output_text.annotation":
		if p.textDone || verb != "added" || *e.AnnotationIndex != p.annotations || e.Annotation == nil {
			m.fatal(data, "annotation")
		}
		p.annotations++
	case "content_part", "reasoning_summary_part":
		if !p.textDone || verb != "done" || e.Part == nil || e.Part.Type != p.kind {
			m.fatal(data, "the end of a part")
		}
		text := e.Part.Text
		if p.kind == "refusal" {
			text = e.Part.Refusal
		}
		if text == nil || *text != p.text || p.kind == "output_text" && (len(*e.Part.Annotations) != p.annotations || len(*e.Part.Logprobs) != p.logprobs) {
			m.fatal(data, "a part that is not the sum of its events")
		}
		p.done = true
	default:
		m.fatal(data, "an unknown event")
	}
}

// last checks that the last response repeats the items.
func (m *machine) last(response []byte) {
	m.t.Helper()
	var r struct{ Output []json.RawMessage }
	json.Unmarshal(response, &r)
	if len(r.Output) != len(m.items) {
		m.fatal(response, "other items")
	}
	for i, it := range m.items {
		if !it.done || string(it.final) != string(r.Output[i]) {
			m.fatal(response, "an item that is not done, or differs")
		}
	}
}

// checkAnswer checks what SDKs require of a response.
func checkAnswer(t testing.TB, body []byte) {
	t.Helper()
	var r map[string]json.RawMessage
	if err := json.Unmarshal(body, &r); err != nil {
		t.Fatalf("%v: %s", err, body)
	}
	for _, name := range []string{
		"id", "object", "created_at", "status", "error", "incomplete_details", "instructions", "metadata", "model", "output",
		"parallel_tool_calls", "temperature", "tool_choice", "tools", "top_p", "usage", "text", "reasoning", "store",
	} {
		if r[name] == nil {
			t.Fatalf("no %s: %s", name, body)
		}
	}
	status := unquote(t, r["status"])
	if string(r["object"]) != `"response"` || (status == "incomplete") != (string(r["incomplete_details"]) != "null") || (status == "failed") != (string(r["error"]) != "null") {
		t.Fatalf("a response in contradiction: %s", body)
	}
	if status == "completed" || status == "incomplete" {
		var u struct {
			Input        *int64 `json:"input_tokens"`
			Output       *int64 `json:"output_tokens"`
			Total        *int64 `json:"total_tokens"`
			InputDetails *struct {
				Cached  *int64 `json:"cached_tokens"`
				Written *int64 `json:"cache_write_tokens"`
			} `json:"input_tokens_details"`
			OutputDetails *struct {
				Reasoning *int64 `json:"reasoning_tokens"`
			} `json:"output_tokens_details"`
		}
		if err := json.Unmarshal(r["usage"], &u); err != nil || u.Input == nil || u.InputDetails == nil || u.OutputDetails == nil || *u.Input+*u.Output != *u.Total {
			t.Fatalf("usage: %s", body)
		}
	}
	var items []struct {
		ID, Type, Status string
		CallID           string `json:"call_id"`
		Content          []struct {
			Type                  string
			Text, Refusal         *string
			Annotations, Logprobs *[]json.RawMessage
		}
		Summary *[]struct{ Type, Text string }
	}
	if err := json.Unmarshal(r["output"], &items); err != nil {
		t.Fatal(err)
	}
	ids := map[string]bool{}
	for _, it := range items {
		if it.ID == "" || ids[it.ID] || it.Type == "reasoning" && it.Summary == nil || strings.HasSuffix(it.Type, "_call") && it.CallID == "" && it.Type != "image_generation_call" {
			t.Fatalf("an item without an id of its own: %s", body)
		}
		ids[it.ID] = true
		for _, c := range it.Content {
			if c.Type == "output_text" && (c.Text == nil || c.Annotations == nil || c.Logprobs == nil) || c.Type == "refusal" && c.Refusal == nil {
				t.Fatalf("a part that lacks something: %s", body)
			}
		}
	}
}
