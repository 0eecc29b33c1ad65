package openai

import (
	"strings"
	"testing"

	"github.com/caddyllm/llmproxy/transform"
)

var taggedCodec = Codec{Profile: &Profile{ThinkTags: true}}

// thinkCases are the inside of an answer's literal, what was thought and what was said.
var thinkCases = []struct{ name, content, thought, said string }{
	{"none", `a`, ``, `a`},
	{"one", `<think>t</think>a`, `t`, `a`},
	{"lines between", `<think>\nt\n</think>\n\na`, `t\n`, `a`},
	{"white space before", `\n <think>t</think>a`, `t`, `a`},
	{"escaped", `\u003cthink\u003et\u003c/think\u003Ea`, `t`, `a`},
	{"escaped slash", `<think>t<\/think>a`, `t`, `a`},
	{"other tags inside", `<think>a<b></thin>\u003c1\"\\</think>c`, `a<b></thin>\u003c1\"\\`, `c`},
	{"never closed", `<think>t</thin`, `t</thin`, ``},
	{"not at the beginning", `a<think>t</think>`, ``, `a<think>t</think>`},
	{"another tag", `<thing>`, ``, `<thing>`},
	{"a beginning only", `<thin`, ``, `<thin`},
	{"twice", `<think>t</think>a<think>b`, `t`, `a<think>b`},
	{"empty", `<think></think>a`, ``, `a`},
	{"nothing after", `<think>t</think>\n`, `t`, ``},
	{"a surrogate pair", `<think>\ud83d\ude00</think>\ud83d\ude00`, `\ud83d\ude00`, `\ud83d\ude00`},
	{"much white space", strings.Repeat(" ", 100) + `<think>`, ``, strings.Repeat(" ", 100) + `<think>`},
}

func TestThinkTagsAreTakenApart(t *testing.T) {
	for _, test := range thinkCases {
		t.Run(test.name, func(t *testing.T) {
			a, err := taggedCodec.DecodeResponse([]byte(`{"choices":[{"message":{"content":"` + test.content + `"},"finish_reason":"stop"}]}`))
			if err != nil {
				t.Fatal(err)
			}
			check := func(how, thought, said string) {
				if thought != test.thought || said != test.said {
					t.Errorf("%s: thought %s, said %s", how, thought, said)
				}
			}
			thought, text := "", ""
			for _, p := range a.Choices[0].Parts {
				inside := string(p.Text[1 : len(p.Text)-1])
				if p.Kind == transform.PartReasoning {
					thought += inside
				} else {
					text += inside
				}
			}
			check("whole", thought, text)
			for size := 1; size < 8; size++ {
				thought, text := streamed(t, cutLiteral(test.content, size))
				check("in pieces", thought, text)
			}
		})
	}
}

// cutLiteral cuts between characters, never inside an escape.
func cutLiteral(inside string, size int) []string {
	var pieces []string
	for inside != "" {
		end := 0
		for range size {
			if end < len(inside) {
				_, width := char([]byte(inside[end:]))
				end += width
			}
		}
		pieces = append(pieces, inside[:end])
		inside = inside[end:]
	}
	return pieces
}

func streamed(t *testing.T, pieces []string) (thought, text string) {
	t.Helper()
	d := taggedCodec.NewStreamDecoder()
	var deltas []transform.Delta
	feed := func(data string) {
		var err error
		if deltas, err = d.Decode(deltas, nil, []byte(data)); err != nil {
			t.Fatal(err)
		}
	}
	for _, piece := range pieces {
		feed(`{"id":"x","choices":[{"index":0,"delta":{"content":"` + piece + `"}}]}`)
	}
	feed(`[DONE]`)
	part := -1
	for _, d := range deltas {
		switch d.Kind {
		case transform.DeltaReasoning:
			thought += string(d.Text[1 : len(d.Text)-1])
		case transform.DeltaText:
			text += string(d.Text[1 : len(d.Text)-1])
		default:
			continue
		}
		if d.Part < part {
			t.Errorf("part %d comes after part %d", d.Part, part)
		}
		part = d.Part
	}
	return thought, text
}

func TestWhatIsHeldBackComesBeforeWhatFollows(t *testing.T) {
	for _, test := range []struct{ name, second string }{
		{"a call", `{"tool_calls":[{"index":0,"id":"c","function":{"name":"f"}}]}`},
		{"a refusal", `{"refusal":"r"}`},
		{"reasoning of its own", `{"reasoning_content":"r"}`},
		{"the end", `{},"finish_reason":"stop"`},
	} {
		t.Run(test.name, func(t *testing.T) {
			d := taggedCodec.NewStreamDecoder()
			deltas, _ := d.Decode(nil, nil, []byte(`{"choices":[{"delta":{"content":"<thi"}}]}`))
			deltas, err := d.Decode(deltas, nil, []byte(`{"choices":[{"delta":`+test.second+`}]}`))
			if err != nil || !strings.Contains(trace(deltas), `<thi`) {
				t.Errorf("%s (%v)", trace(deltas), err)
			}
		})
	}
}

func TestTagsAreTextWithoutAProfile(t *testing.T) {
	a, err := Codec{}.DecodeResponse([]byte(`{"choices":[{"message":{"content":"<think>t</think>a"}}]}`))
	if err != nil || len(a.Choices[0].Parts) != 1 || a.Choices[0].Parts[0].Kind != transform.PartText {
		t.Errorf("%+v (%v)", a, err)
	}
}
