package catalog_test

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/caddyllm/llmproxy/catalog"
	"github.com/caddyllm/llmproxy/internal/jsonbytes"
	"github.com/caddyllm/llmproxy/transform/openai"
	"github.com/caddyllm/llmproxy/usage"
)

// recordedKinds are our types of providers behind the folders of recordings.
var recordedKinds = map[string]string{
	"openrouter": "openrouter", "vercel-gateway": "vercel", "perplexity": "perplexity", "xai": "xai", "xai-responses": "xai",
}

// TestCostIsWhatProvidersCharge compares with recorded answers that say what they
// cost. It is within 2 % of that where a call is billed by its tokens alone.
func TestCostIsWhatProvidersCharge(t *testing.T) {
	root := os.Getenv("LLMPROXY_FIXTURES")
	if root == "" {
		t.Skip("set LLMPROXY_FIXTURES to the folder of recorded provider traffic")
	}
	files, err := filepath.Glob(filepath.Join(root, "*", "*", "response.*"))
	if err != nil || len(files) == 0 {
		t.Fatalf("no recordings: %v", err)
	}
	c := catalog.New(nil)
	compared, told := 0, 0
	for _, file := range files {
		kind := recordedKinds[filepath.Base(filepath.Dir(filepath.Dir(file)))]
		if kind == "" {
			continue
		}
		body, err := os.ReadFile(file) //nolint:gosec // the tester's own
		if err != nil {
			t.Fatal(err)
		}
		name := filepath.Base(filepath.Dir(file))
		model, tokens, besides := lastUsage(body)
		if !tokens.CostKnown {
			continue
		}
		told++
		cost, known := c.Find(kind, kind, model).Cost(tokens)
		switch {
		case tokens.Output == 0:
			t.Logf("%s: %s says %s for an answer of nothing", name, model, tokens.Cost)
		case !known:
			t.Logf("%s: %s is not known", name, model)
		case besides:
			t.Logf("%s: %s charges %s, of which tokens are %s", name, model, tokens.Cost, cost)
			if cost > tokens.Cost {
				t.Errorf("%s: tokens alone cost more", name)
			}
		default:
			compared++
			t.Logf("%s: %s charges %s, we say %s", name, model, tokens.Cost, cost)
			if off := cost - tokens.Cost; off*50 > tokens.Cost || off*-50 > tokens.Cost {
				t.Errorf("%s: %s charges %s for %+v, we say %s", name, model, tokens.Cost, tokens, cost)
			}
		}
	}
	t.Logf("%d say what they cost, %d were compared", told, compared)
}

// lastUsage reads the last usage of an answer or stream, and tells whether
// requests or tools are charged besides the tokens.
func lastUsage(body []byte) (model string, tokens usage.Tokens, besides bool) {
	for line := range bytes.Lines(body) {
		text := bytes.TrimSpace(bytes.TrimPrefix(line, []byte("data:")))
		if !json.Valid(text) {
			text = bytes.TrimSpace(body) // an answer that is no stream
		}
		root := jsonbytes.Value(text)
		if r := root.Get("response"); r != nil {
			root = r
		}
		if v := root.Get("usage"); v.Kind() == jsonbytes.Object && json.Valid(text) {
			model, _ = root.Get("model").Text()
			tokens = openai.ReadUsage(v)
			tools, _ := v.Get("num_server_side_tools_used").Int()
			besides = tools > 0 || strings.HasPrefix(model, "sonar")
		}
	}
	return model, tokens, besides
}
