package transform_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/caddyllm/llmproxy/internal/jsonbytes"
	"github.com/caddyllm/llmproxy/transform"
)

// turnsOf reads a conversation: u is the user's turn, a:x,y the model's with
// calls x and y, t:x=word the result of x, and s the system's.
func turnsOf(said string) (turns []transform.Turn) {
	root := new(transform.Path)
	for i, word := range strings.Fields(said) {
		role, rest, _ := strings.Cut(word, ":")
		at := new(transform.Path)
		*at = root.Index(i)
		turn := transform.Turn{At: *at}
		switch role {
		case "u":
			turn.Role = transform.RoleUser
		case "s":
			turn.Role = transform.RoleSystem
		case "a":
			turn.Role = transform.RoleAssistant
			for _, id := range strings.Split(rest, ",") {
				if rest != "" {
					turn.Parts = append(turn.Parts, transform.Part{Kind: transform.PartToolCall, Call: transform.ToolCall{ID: id, Name: "tool"}})
				}
			}
		case "t":
			id, text, _ := strings.Cut(rest, "=")
			turn.Role, turn.CallID, turn.CallAt = transform.RoleTool, id, at.Key("id")
			turn.Parts = []transform.Part{{Kind: transform.PartText, Text: transform.Quote(text)}}
		}
		turns = append(turns, turn)
	}
	return turns
}

// written is the opposite of turnsOf.
func written(turns []transform.Turn) string {
	var words []string
	for _, turn := range turns {
		switch turn.Role {
		case transform.RoleUser:
			word := "u"
			if len(turn.Parts) == 2 && string(turn.Parts[0].Text) == string(transform.OrphanResult) {
				word = "orphan=" + string(turn.Parts[1].Text)
			}
			words = append(words, word)
		case transform.RoleSystem:
			words = append(words, "s")
		case transform.RoleAssistant:
			var ids []string
			for _, part := range turn.Parts {
				ids = append(ids, part.Call.ID)
			}
			words = append(words, strings.TrimSuffix("a:"+strings.Join(ids, ","), ":"))
		case transform.RoleTool:
			text, _ := jsonbytes.Value(turn.Parts[0].Text).Text()
			if turn.IsError && string(turn.Parts[0].Text) == string(transform.NoResult) {
				text = "none"
			}
			words = append(words, fmt.Sprintf("t:%s=%s", turn.CallID, text))
		}
	}
	return strings.Join(words, " ")
}

func TestPairResults(t *testing.T) {
	for name, c := range map[string]struct{ said, want, dropped string }{
		"right":                                {"s u a:x,y t:x=1 t:y=2 u a", "", ""},
		"right in another order":               {"u a:x,y t:y=2 t:x=1 a", "", ""},
		"a step of several turns":              {"u a:x a:y t:x=1 t:y=2 a", "", ""},
		"steps one after the other":            {"u a:x t:x=1 a:y t:y=2 a:z t:z=3", "", ""},
		"an id that comes again":               {"u a:x t:x=1 a:x t:x=1 u", "", ""},
		"two calls with one id":                {"u a:x,x t:x=1 t:x=1 u", "", ""},
		"calls at the end":                     {"u a:x,y", "", ""},
		"the same twice":                       {"u a:x t:x=1 t:x=1 t:x=1 u", "u a:x t:x=1 u", ""},
		"the same again later":                 {"u a:x t:x=1 u a t:x=1 u", "u a:x t:x=1 u a u", ""},
		"another result of the same call":      {"u a:x t:x=1 t:x=2 u", "u a:x t:x=1 u", "/3"},
		"two of each":                          {"u a:x,y t:x=1 t:x=1 t:y=2 t:y=2", "u a:x,y t:x=1 t:y=2", ""},
		"no call":                              {"u t:x=1 a", "u orphan=\"1\" a", "/1/id"},
		"no call at the beginning":             {"t:x=1 a:y u", "orphan=\"1\" a:y t:y=none u", "/0/id"},
		"before its call":                      {"u t:x=1 a:x u", "u orphan=\"1\" a:x t:x=none u", "/1/id"},
		"no result":                            {"u a:x u", "u a:x t:x=none u", ""},
		"no result before the model goes on":   {"u a:x s a:y t:y=1", "u a:x t:x=none s a:y t:y=1", ""},
		"one of two results":                   {"u a:x,y t:y=1", "u a:x,y t:y=1 t:x=none", ""},
		"behind what the user says":            {"u a:x,y t:x=1 u t:y=2 a", "u a:x,y t:x=1 t:y=2 u a", ""},
		"behind what the system says":          {"u a:x s t:x=1 a", "u a:x t:x=1 s a", ""},
		"behind the next step":                 {"u a:x u a:y t:y=2 t:x=1 u", "u a:x t:x=1 u a:y t:y=2 u", ""},
		"results without an id":                {"u a:x,y t:=1 t:=2 t:=3 u", "u a:x,y t:x=1 t:y=2 orphan=\"3\" u", "/4/id"},
		"calls and results without an id":      {"u a:x t:x=1 a:y t:=2 u", "u a:x t:x=1 a:y t:y=2 u", ""},
		"nothing at all":                       {"", "", ""},
		"only results":                         {"t:x=1 t:x=1", "orphan=\"1\" orphan=\"1\"", "/0/id /1/id"},
		"a result that answers an unshown one": {"a:x t:x=1 t:z=2 u", "a:x t:x=1 orphan=\"2\" u", "/2/id"},
	} {
		t.Run(name, func(t *testing.T) {
			var lost transform.Losses
			r := &transform.Request{Turns: turnsOf(c.said)}
			before := r.Turns
			r.PairResults(&lost)
			want := c.want
			if want == "" {
				want = c.said
				if len(before) > 0 && &r.Turns[0] != &before[0] {
					t.Error("the turns were copied")
				}
			}
			if got := written(r.Turns); got != want {
				t.Errorf("\n got %s\nwant %s", got, want)
			}
			if got := strings.Join(lost.Dropped, " "); got != c.dropped {
				t.Errorf("dropped %q, want %q", got, c.dropped)
			}
			once := written(r.Turns)
			r.PairResults(&lost)
			if again := written(r.Turns); again != once {
				t.Errorf("put right twice: %s", again)
			}
		})
	}
}

func TestPairResultsTrustsWhatTheProviderKeeps(t *testing.T) {
	var lost transform.Losses
	r := &transform.Request{
		Turns: turnsOf("t:x=1 u"),
		Rest:  []transform.Member{{Name: "previous_response_id", Value: jsonbytes.Value(`"resp_1"`)}},
	}
	r.PairResults(&lost)
	if got := written(r.Turns); got != "t:x=1 u" || len(lost.Dropped) > 0 {
		t.Errorf("got %s, dropped %v", got, lost.Dropped)
	}
}

func FuzzPairResults(f *testing.F) {
	f.Add("u a:x,y t:x=1 t:x=1 u t:y=2 a:x t:x=3 t:z=4")
	f.Add("t:x=1 a:x,x t:x=1 s t:x=2 t:x=3")
	f.Fuzz(func(t *testing.T, said string) {
		var lost transform.Losses
		r := &transform.Request{Turns: turnsOf(said)}
		r.PairResults(&lost)
		open := map[string]int{}
		for i, turn := range r.Turns {
			last := i == len(r.Turns)-1
			switch turn.Role {
			case transform.RoleTool:
				if open[turn.CallID] == 0 {
					t.Fatalf("%s: result %d of no call", written(r.Turns), i)
				}
				if open[turn.CallID]--; open[turn.CallID] == 0 {
					delete(open, turn.CallID)
				}
				if last && len(open) > 0 {
					t.Fatalf("%s: calls without results", written(r.Turns))
				}
			case transform.RoleAssistant:
				if i > 0 && r.Turns[i-1].Role == transform.RoleTool && len(open) > 0 {
					t.Fatalf("%s: calls without results before %d", written(r.Turns), i)
				}
				for _, part := range turn.Parts {
					open[part.Call.ID]++
				}
			default:
				if len(open) > 0 {
					t.Fatalf("%s: calls without results before %d", written(r.Turns), i)
				}
			}
		}
	})
}
