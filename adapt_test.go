package llmproxy_test

import (
	"bytes"
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig"
	_ "github.com/caddyserver/caddy/v2/caddyconfig/httpcaddyfile"
	_ "github.com/caddyserver/caddy/v2/modules/caddyhttp/standard"
	_ "github.com/caddyserver/caddy/v2/modules/logging"

	"github.com/caddyllm/llmproxy"
)

var update = flag.Bool("update", false, "write what comes out into testdata/adapt; read the difference before you keep it")

// The files in testdata/adapt hold cases: a Caddyfile, a line of ten dashes,
// and the JSON or the error that comes of it. A line of ten equal signs is
// between two cases.
const (
	betweenParts = "----------\n"
	betweenCases = "==========\n"
)

func TestAdapt(t *testing.T) {
	files, err := filepath.Glob("testdata/adapt/*.caddyfiletest")
	if err != nil || len(files) == 0 {
		t.Fatalf("no cases: %v", err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".caddyfiletest"), func(t *testing.T) {
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			var results []string
			for c := range strings.SplitSeq(string(text), betweenCases) {
				input, want, _ := strings.Cut(c, betweenParts)
				got := adaptCase(t, input)
				if got != want && !*update {
					t.Errorf("%s\nadapts to\n%s\nnot to\n%s", input, got, want)
				}
				results = append(results, input+betweenParts+got)
			}
			if *update {
				if err := os.WriteFile(file, []byte(strings.Join(results, betweenCases)), 0o600); err != nil {
					t.Fatal(err)
				}
			}
		})
	}
}

// adaptCase is what comes of a Caddyfile, as it stands in a case. JSON must
// also survive a round trip.
func adaptCase(t *testing.T, input string) string {
	t.Helper()
	adapted, _, err := caddyconfig.GetAdapter("caddyfile").Adapt([]byte(input), map[string]any{"filename": "Caddyfile"})
	if err != nil {
		return err.Error() + "\n"
	}
	survives(t, adapted)
	var out bytes.Buffer
	if err := json.Indent(&out, adapted, "", "\t"); err != nil {
		t.Fatal(err)
	}
	return out.String() + "\n"
}

// survives fails unless the app and every handler of ours in a config decode
// strictly and encode to what they were.
func survives(t *testing.T, config []byte) {
	t.Helper()
	var whole struct {
		Apps map[string]json.RawMessage `json:"apps"`
	}
	if err := json.Unmarshal(config, &whole); err != nil {
		t.Fatal(err)
	}
	if app := whole.Apps["llm_proxy"]; app != nil {
		sameAgain(t, app, new(llmproxy.App))
	}
	var tree any
	if err := json.Unmarshal(whole.Apps["http"], &tree); err != nil && whole.Apps["http"] != nil {
		t.Fatal(err)
	}
	for _, handler := range handlersIn(tree) {
		delete(handler, "handler")
		text, err := json.Marshal(handler)
		if err != nil {
			t.Fatal(err)
		}
		sameAgain(t, text, new(llmproxy.Handler))
	}
}

func handlersIn(tree any) (found []map[string]any) {
	switch node := tree.(type) {
	case []any:
		for _, element := range node {
			found = append(found, handlersIn(element)...)
		}
	case map[string]any:
		if node["handler"] == "llm_proxy" {
			return []map[string]any{node}
		}
		for _, member := range node {
			found = append(found, handlersIn(member)...)
		}
	}
	return found
}

func sameAgain(t *testing.T, text []byte, module caddy.Module) {
	t.Helper()
	if err := caddy.StrictUnmarshalJSON(text, module); err != nil {
		t.Fatalf("the adapted config does not decode: %v\n%s", err, text)
	}
	again, err := json.Marshal(module)
	if err != nil {
		t.Fatal(err)
	}
	var before, after any
	if json.Unmarshal(text, &before) != nil || json.Unmarshal(again, &after) != nil || !reflect.DeepEqual(before, after) {
		t.Errorf("the config\n%s\nbecomes\n%s", text, again)
	}
}
