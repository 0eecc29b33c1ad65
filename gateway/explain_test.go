package gateway_test

import (
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/caddyllm/llmproxy/auth"
	"github.com/caddyllm/llmproxy/gateway"
	"github.com/caddyllm/llmproxy/internal/testllm"
	"github.com/caddyllm/llmproxy/providers"
)

// explain asks the gateway of a setup what would become of a request.
func explain(t *testing.T, s setup, key, path, body string) (*gateway.Explanation, error) {
	t.Helper()
	var gw *gateway.Gateway
	s.change = func(g *gateway.Gateway) {
		g.Surface.Anthropic = true
		gw = g
	}
	s.start(t)
	r := httptest.NewRequest(http.MethodPost, path, strings.NewReader(body))
	return gw.Explain(r, key)
}

func explained(t *testing.T) (setup, *testllm.Server) {
	srv := testllm.New(t)
	return setup{
		upstreams: []*providers.Upstream{
			load(t, "a", "openai", srv.URL+"/v1", `,"header":{"X-Own":"operator-secret"}`), load(t, "claude", "anthropic", srv.URL), load(t, "c", "openai", srv.URL+"/v1"),
		},
		aliases: []alias{{name: "m", to: []string{"a/model-a", "claude/claude-x"}, fallback: []string{"spare"}}, {name: "spare", to: []string{"c/model-c"}}},
		keys: []auth.Key{
			{ID: "app", Digests: []auth.Digest{auth.DigestOf(appKey)}}, {ID: "narrow", Digests: []auth.Digest{auth.DigestOf("x")}, Rights: auth.Rights{Models: []string{"m"}}},
		},
	}, srv
}

func TestExplainShowsThePlanAndTheRequests(t *testing.T) {
	s, srv := explained(t)
	x, err := explain(t, s, "app", chatPath, `{"model":"m","max_tokens":50,"logit_bias":{"1":1},"messages":[{"role":"user","content":"hi"}]}`)
	if err != nil {
		t.Fatal(err)
	}
	wantCalls(t, srv, 0)
	equal(t, "route", x.Route, "m")
	equal(t, "principal", x.Principal, "app")
	equal(t, "output tokens", x.MaxOutputTokens, 50)
	equal(t, "attempts", x.Attempts, 3)
	equal(t, "targets", len(x.Targets), 3)
	for i, want := range []string{"a/model-a", "claude/claude-x", "c/model-c"} {
		equal(t, "target", x.Targets[i].Target, want)
	}
	equal(t, "fallback", x.Targets[2].Fallback, true)
	equal(t, "URL", x.Targets[0].Request.URL, srv.URL+"/v1/chat/completions")
	equal(t, "body", string(x.Targets[0].Request.Body), `{"model":"model-a","max_tokens":50,"logit_bias":{"1":1},"messages":[{"role":"user","content":"hi"}]}`)
	equal(t, "translation's URL", x.Targets[1].Request.URL, srv.URL+"/v1/messages")
	equal(t, "losses", strings.Join(x.Targets[1].Dropped, " "), "/logit_bias")
	all, _ := json.Marshal(x)
	for _, secret := range []string{providerKey, "operator-secret", appKey, "Authorization", "X-Api-Key"} {
		if strings.Contains(string(all), secret) {
			t.Errorf("the explanation holds %s: %s", secret, all)
		}
	}
}

func TestExplainSaysWhatTheClientWouldBeTold(t *testing.T) {
	s, _ := explained(t)
	for _, test := range []struct {
		key, path, body, code string
		targets               int
	}{
		{"narrow", chatPath, `{"model":"m","messages":[{"role":"user","content":"hi"}]}`, "", 2}, // no right to the fallback
		{"narrow", chatPath, `{"model":"spare","messages":[{"role":"user","content":"hi"}]}`, "model_not_allowed", 0},
		{"", chatPath, `{"model":"nobody","messages":[{"role":"user","content":"hi"}]}`, "model_not_found", 0},
		{"", chatPath, `{"model":1}`, "invalid_value", 0},
		{"", "/v1/messages", `{"model":"m","max_tokens":1,"messages":[{"role":"user","content":"hi"}]}`, "", 3},
	} {
		x, err := explain(t, s, test.key, test.path, test.body)
		if err != nil {
			t.Fatal(err)
		}
		code := ""
		if x.Error != nil {
			code = x.Error.Code
		}
		equal(t, "code of "+test.body, code, test.code)
		equal(t, "targets of "+test.body, len(x.Targets), test.targets)
	}
	if _, err := explain(t, s, "nobody", chatPath, `{}`); !errors.Is(err, gateway.ErrUnknownKey) {
		t.Errorf("error is %v", err)
	}
	if x, err := explain(t, s, "", "/elsewhere", `{}`); err != nil || x.Claimed {
		t.Errorf("explanation is %+v (%v)", x, err)
	}
}

func TestExplainShowsWhatStandsInTheWay(t *testing.T) {
	s, srv := explained(t)
	var gw *gateway.Gateway
	s.change = func(g *gateway.Gateway) { gw = g }
	g := s.start(t)
	srv.Script(testllm.Reply{Status: 429, Header: http.Header{"Retry-After": {"60"}}}, testllm.Reply{})
	g.chat(t, ask("m"), "Authorization", "Bearer "+appKey)
	x, err := gw.Explain(httptest.NewRequest(http.MethodPost, chatPath, strings.NewReader(ask("m"))), "app")
	if err != nil || len(x.Unavailable) != 1 || x.Unavailable[0].Obstacle != "limited" || x.Unavailable[0].Until == nil || len(x.Targets) != 2 {
		t.Errorf("explanation is %+v (%v)", x, err)
	}
}
