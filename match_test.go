package llmproxy

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
	"go.uber.org/zap"
	zapobserver "go.uber.org/zap/zaptest/observer"
)

// failingMatcher is a matcher that cannot say.
type failingMatcher struct{}

func (failingMatcher) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{ID: "http.matchers.failing_for_tests", New: func() caddy.Module { return new(failingMatcher) }}
}

func (failingMatcher) MatchWithError(*http.Request) (bool, error) {
	return true, errors.New("no idea")
}

func init() { caddy.RegisterModule(failingMatcher{}) }

func TestMatcherThatFailsDoesNotMatch(t *testing.T) {
	ctx, cancel := caddy.NewContext(caddy.Context{Context: context.Background()})
	defer cancel()
	core, logged := zapobserver.New(zap.ErrorLevel)
	raw := caddyhttp.RawMatcherSets{{"failing_for_tests": json.RawMessage(`{}`)}}
	match, err := loadMatch(ctx, "smart", raw, zap.New(core))
	if err != nil {
		t.Fatal(err)
	}
	if match(httptest.NewRequest(http.MethodPost, "/", nil)) {
		t.Error("it matches")
	}
	if logged.Len() != 1 || logged.All()[0].ContextMap()["model"] != "smart" {
		t.Errorf("logged is %v", logged.All())
	}
	if len(raw[0]) != 1 {
		t.Error("the config has lost its matchers, and cannot be loaded again")
	}
}
