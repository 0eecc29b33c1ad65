package gateway

import (
	"strings"
	"testing"

	"github.com/caddyllm/llmproxy/usage"
)

func TestPointersAreSafeInAHeader(t *testing.T) {
	for _, test := range []struct {
		pointers []string
		want     string
	}{
		{nil, ""},
		{[]string{"/a"}, "/a"},
		{[]string{"/a/0/b~1c", "/d"}, "/a/0/b~1c, /d"},
		{[]string{"/a b", "/c,d", "/e%f"}, "/a%20b, /c%2Cd, /e%25f"},
		{[]string{"/x\r\nSet-Cookie: y", "/\x00\x7f"}, "/x%0D%0ASet-Cookie:%20y, /%00%7F"},
		{[]string{"/caf\u00e9"}, "/caf%C3%A9"},
	} {
		if got := joinPointers(test.pointers); got != test.want {
			t.Errorf("%q is written %q, want %q", test.pointers, got, test.want)
		}
	}
}

func TestManyPointersAreCut(t *testing.T) {
	var pointers []string
	for range 64 {
		pointers = append(pointers, "/"+strings.Repeat("\n", 100))
	}
	got := joinPointers(pointers)
	if len(got) > 4*maxDroppedHeader || !strings.HasSuffix(got, ", ...") {
		t.Errorf("%d bytes, ending in %q", len(got), got[len(got)-10:])
	}
	if got := joinPointers([]string{"/" + strings.Repeat("x", 1<<20)}); len(got) > maxDroppedHeader {
		t.Errorf("one long pointer takes %d bytes", len(got))
	}
}

func TestDroppedMembersAreBounded(t *testing.T) {
	var c call
	for range 1000 {
		c.dropped("/a", "/b")
	}
	if len(c.record.Dropped) != 64 {
		t.Errorf("%d are kept", len(c.record.Dropped))
	}
}

func TestBill(t *testing.T) {
	const request, answer = 400, 80 // bytes: 100 and 20 tokens
	known := usage.Tokens{Input: 7, Output: 3, Known: true}
	for _, test := range []struct {
		name      string
		said      usage.Tokens
		call      *call
		ending    usage.Ending
		in, out   int64
		estimated bool
	}{
		{"not accepted", usage.Tokens{}, &call{claim: claim{op: opChat}}, usage.Failed, 0, 0, false},
		{"counted", known, &call{claim: claim{op: opChat}, accepted: true, committed: true}, usage.Complete, 7, 3, false},
		{"counted stream", known, &call{claim: claim{op: opChat}, accepted: true, committed: true, delivered: 50, record: usage.Record{Stream: true}}, usage.Complete, 7, 3, false},
		{"counted too early", known, &call{claim: claim{op: opChat}, accepted: true, committed: true, delivered: 50, record: usage.Record{Stream: true}}, usage.ClientGone, 7, 50, true},
		{"counted early enough", known, &call{claim: claim{op: opChat}, accepted: true, committed: true, delivered: 2, record: usage.Record{Stream: true}}, usage.Broken, 7, 3, false},
		{"counted as nothing", usage.Tokens{Known: true}, &call{claim: claim{op: opChat}, accepted: true, committed: true}, usage.Complete, 100, 20, true},
		{"counted below nothing", usage.Tokens{Input: -5, Output: -5, Known: true}, &call{claim: claim{op: opChat}, accepted: true, committed: true}, usage.Complete, 100, 20, true},
		{"not counted", usage.Tokens{}, &call{claim: claim{op: opChat}, accepted: true, committed: true}, usage.Complete, 100, 20, true},
		{"only the prompt counted", usage.Tokens{Input: 7}, &call{claim: claim{op: opChat}, accepted: true, delivered: 9, record: usage.Record{Stream: true}}, usage.Broken, 7, 9, true},
		{"accepted, then lost", usage.Tokens{}, &call{claim: claim{op: opChat}, accepted: true}, usage.Failed, 100, 0, true},
		{"completions that broke off", usage.Tokens{}, &call{claim: claim{op: opForward, path: completionsPath}, accepted: true, committed: true, delivered: 9, record: usage.Record{Stream: true}}, usage.Broken, 100, 9, true},
		{"sound", usage.Tokens{}, &call{claim: claim{op: opForward, path: "/audio/transcriptions"}, accepted: true, committed: true, form: &form{files: 240}}, usage.Complete, 40, 0, true},
		{"embeddings", usage.Tokens{}, &call{claim: claim{op: opEmbeddings}, accepted: true, committed: true}, usage.Complete, 100, 0, true},
		{"absurd", usage.Tokens{Input: 1 << 62, Output: 1 << 62, Known: true}, &call{claim: claim{op: opChat}, accepted: true}, usage.Complete, 1 << 40, 1 << 40, false},
	} {
		t.Run(test.name, func(t *testing.T) {
			test.call.g = new(Gateway)
			c := test.call
			c.body = &buffer{bytes: make([]byte, request)}
			c.record.Tokens, c.record.Ending, c.record.BytesOut = test.said, test.ending, answer
			got := c.bill()
			if got.Input != test.in || got.Output != test.out || got.Estimated != test.estimated {
				t.Errorf("bill is %+v, want %d and %d, estimated %v", got, test.in, test.out, test.estimated)
			}
		})
	}
}

func TestMediaAreNotEstimatedByTheirSize(t *testing.T) {
	image := strings.Repeat("iVBORw0K", 100_000)
	for body, want := range map[string]int64{
		"": 0, "abcd": 1,
		strings.Repeat("some words ", 8_000):     22_000,
		`{"image":"` + image + `","text":"hi"}`:  mediaTokens + 6,
		image + `"` + image:                      2*mediaTokens + 1,
		strings.Repeat("x", leastMedia-1) + " ä": leastMedia/4 + 1,
	} {
		c := &call{body: &buffer{bytes: []byte(body)}}
		if got := c.estimateInput(); got != want {
			t.Errorf("%.20q of %d bytes: %d tokens, want %d", body, len(body), got, want)
		}
	}
}
