package transform

import (
	"testing"

	"github.com/caddyllm/llmproxy/internal/jsonbytes"
)

func TestWhatCannotBeLeftOutIsEssential(t *testing.T) {
	for _, test := range []struct {
		name, value string
		want        bool
	}{
		{"previous_response_id", `"resp_1"`, true},
		{"conversation", `{"id":"c"}`, true},
		{"cachedContent", `"cachedContents/1"`, true},
		{"mcp_servers", `[]`, true},
		{"container", `"c"`, true},
		{"container", `null`, false},
		{"background", `true`, true},
		{"background", `false`, false},
		{"modalities", `["text","audio"]`, true},
		{"modalities", `["text"]`, false},
		{"metadata", `{}`, false},
	} {
		m := Member{Name: test.name, Value: jsonbytes.Value(test.value)}
		if m.Essential() != test.want {
			t.Errorf("%s %s: %v", test.name, test.value, !test.want)
		}
		var r Request
		var lost Losses
		if r.Leave(&m, &lost); len(lost.Dropped) != 1 || len(lost.Refused) == 1 != test.want {
			t.Errorf("%s %s: %+v", test.name, test.value, lost)
		}
	}
}

func TestLossesAreWhereTheClientSaidIt(t *testing.T) {
	var r Request
	var root Path
	config := root.Key("generationConfig")
	r.Say("stop", config.Key("stopSequences"))
	for name, want := range map[string]string{"stop": "/generationConfig/stopSequences", "seed": "/seed"} {
		at := r.At(name)
		if got := at.Pointer(); got != want {
			t.Errorf("%s: %s, want %s", name, got, want)
		}
	}
	var lost Losses
	lost.Drop(Path{})
	if len(lost.Dropped) > 0 {
		t.Errorf("what the client never said is lost: %q", lost.Dropped)
	}
}
