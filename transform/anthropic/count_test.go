package anthropic

import (
	"errors"
	"testing"

	"github.com/caddyllm/llmproxy/transform"
)

func TestCountRequestsHoldThePromptOnly(t *testing.T) {
	var lost transform.Losses
	r, err := Codec{}.DecodeCountRequest([]byte(`{"model":"m","system":"S","messages":[{"role":"user","content":"A"}],"tools":[{"name":"f","input_schema":{"type":"object","properties":{}}}],
		"tool_choice":{"type":"any"},"cache_control":{"type":"ephemeral"},"temperature":1,"metadata":{"user_id":"u"},"service_tier":"auto","stop_sequences":["x"],"container":"c","stream":true}`), &lost)
	if err != nil {
		t.Fatal(err)
	}
	body, err := Codec{}.AppendCountRequest([]byte("x"), r, transform.Target{Model: budgeted, Vendor: transform.VendorAnthropic, Stream: true}, &lost)
	if err != nil {
		t.Fatal(err)
	}
	wantText(t, "body", body, `x{"model":"claude-sonnet-4-5","tools":[{"name":"f","input_schema":{"type":"object","properties":{}}}],"system":[{"type":"text","text":"S"}],`+
		`"messages":[{"role":"user","content":[{"type":"text","text":"A"}]}],"tool_choice":{"type":"any"},"cache_control":{"type":"ephemeral"}}`)
	if _, err := (Codec{}).AppendCountRequest(nil, &transform.Request{}, transform.Target{}, &lost); err == nil {
		t.Error("nothing was counted")
	}
}

func TestCounts(t *testing.T) {
	body := Codec{}.AppendCount(nil, 12)
	wantText(t, "body", body, `{"input_tokens":12}`)
	if n, err := (Codec{}).DecodeCount(body); n != 12 || err != nil {
		t.Errorf("got %d, %v", n, err)
	}
	for _, body := range []string{``, `{}`, `[]`, `{"input_tokens":"5"}`, `{"input_tokens":-5}`, `{"input_tokens":5`} {
		if n, err := (Codec{}).DecodeCount([]byte(body)); err == nil {
			t.Errorf("%s: %d", body, n)
		}
	}
	var e *transform.Error
	if _, err := (Codec{}).DecodeCount([]byte(`{"type":"error","error":{"type":"not_found_error","message":"model: x"}}`)); !errors.As(err, &e) || e.Kind != transform.ErrNotFound {
		t.Errorf("got %v", err)
	}
}

func TestModels(t *testing.T) {
	const m, n = `{"type":"model","id":"m","display_name":"m","created_at":"1970-01-01T00:00:00Z"}`, `{"type":"model","id":"n","display_name":"n","created_at":"1970-01-01T00:00:00Z"}`
	wantText(t, "one", Codec{}.AppendModel(nil, transform.Model{ID: "m", Owner: "o"}), m)
	wantText(t, "list", Codec{}.AppendModels(nil, []transform.Model{{ID: "m"}, {ID: "n"}}), `{"data":[`+m+`,`+n+`],"has_more":false,"first_id":"m","last_id":"n"}`)
	wantText(t, "none", Codec{}.AppendModels(nil, nil), `{"data":[],"has_more":false,"first_id":null,"last_id":null}`)
}

func TestForeignBodiesAreKnown(t *testing.T) {
	for body, want := range map[string]bool{
		`{"type":"thinking","thinking":"","signature":"` + sealed(google) + `"}`: true,
		`{"type":"thinking","thinking":"T","signature":""}`:                      true,
		`{"url":"https://a","encrypted_index": ""}`:                              true,
		rich: false,
	} {
		if got := (Codec{}).Foreign([]byte(body)); got != want {
			t.Errorf("%v: %s", got, body)
		}
	}
}
