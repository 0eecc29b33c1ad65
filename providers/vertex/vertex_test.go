package vertex

import (
	"context"
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
	_ "github.com/caddyserver/caddy/v2/modules/caddyhttp/reverseproxy"

	"github.com/caddyllm/llmproxy/providers"
	"github.com/caddyllm/llmproxy/transform"
)

func load(t *testing.T, config string) (*Vertex, error) {
	t.Helper()
	ctx, cancel := caddy.NewContext(caddy.Context{Context: context.Background()})
	t.Cleanup(cancel)
	module, err := ctx.LoadModuleByID(providers.Namespace+".vertex", json.RawMessage(config))
	if err != nil {
		return nil, err
	}
	return module.(*Vertex), nil
}

func mustLoad(t *testing.T, config string) *Vertex {
	t.Helper()
	p, err := load(t, config)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// clearEnvironment hides what the machine knows of Google.
func clearEnvironment(t *testing.T) {
	t.Helper()
	for _, name := range []string{
		"GOOGLE_VERTEX_PROJECT", "GOOGLE_CLOUD_PROJECT", "GOOGLE_VERTEX_LOCATION", "GOOGLE_CLOUD_LOCATION",
		"GOOGLE_APPLICATION_CREDENTIALS", "GOOGLE_CLOUD_QUOTA_PROJECT",
	} {
		t.Setenv(name, "")
	}
}

const base = `"project":"p","access_token":"t"`

func TestWhereCallsGo(t *testing.T) {
	clearEnvironment(t)
	const publishers = "/v1/projects/p/locations/us-east5/publishers/"
	for _, test := range []struct {
		name, model     string
		stream, array   bool
		path            string
		format          transform.Format
		vendor          transform.Vendor
		counts, carries bool
	}{
		{"Claude", "claude-opus-4-5@20251101", false, false, "anthropic/models/claude-opus-4-5@20251101:rawPredict", transform.Anthropic, transform.VendorAnthropic, true, false},
		{"Claude, a stream", "claude-x", true, false, "anthropic/models/claude-x:streamRawPredict", transform.Anthropic, transform.VendorAnthropic, true, false},
		{"Claude with its publisher", "anthropic/claude-x", false, false, "anthropic/models/claude-x:rawPredict", transform.Anthropic, transform.VendorAnthropic, true, false},
		{"Gemini", "gemini-3-pro", false, false, "google/models/gemini-3-pro:generateContent", transform.Gemini, transform.VendorGoogle, true, false},
		{"Gemini, a stream", "gemini-3-pro", true, false, "google/models/gemini-3-pro:streamGenerateContent?alt=sse", transform.Gemini, transform.VendorGoogle, true, false},
		{"Gemini, a stream as an array", "gemini-3-pro", true, true, "google/models/gemini-3-pro:streamGenerateContent", transform.Gemini, transform.VendorGoogle, true, false},
		{"Gemini by its whole name", "publishers/google/models/gemini-3-pro", false, false, "google/models/gemini-3-pro:generateContent", transform.Gemini, transform.VendorGoogle, true, false},
		{"another of Google's", "gemma-3", false, false, "google/models/gemma-3:generateContent", transform.Gemini, transform.VendorGoogle, true, false},
		{"another publisher's", "meta/llama-4-maas", true, false, "", transform.OpenAIChat, "", false, true},
		{"out of its place", "../../x?y#z", false, false, "", transform.OpenAIChat, "", false, true},
		{"dots", "..", false, false, "google/models/..:generateContent", transform.Gemini, transform.VendorGoogle, true, false},
		{"a query", "a?b", false, false, "google/models/a%3Fb:generateContent", transform.Gemini, transform.VendorGoogle, true, false},
	} {
		t.Run(test.name, func(t *testing.T) {
			p := mustLoad(t, `{`+base+`,"location":"us-east5"}`)
			call := providers.Call{Model: test.model, Stream: test.stream, Array: test.array, Client: transform.Gemini}
			e := p.Chat(call)
			want := "https://us-east5-aiplatform.googleapis.com" + publishers + test.path
			if test.path == "" {
				want = "https://us-east5-aiplatform.googleapis.com/v1/projects/p/locations/us-east5/endpoints/openapi/chat/completions"
			}
			if e.URL.String() != want {
				t.Errorf("goes to %s, want %s", e.URL, want)
			}
			if e.Codec.Format() != test.format || e.Vendor != test.vendor || (e.Framing == transform.FramingArray) != test.array {
				t.Errorf("format %s, vendor %s, framing %d", e.Codec.Format(), e.Vendor, e.Framing)
			}
			if _, counts := p.CountTokens(call); counts != test.counts {
				t.Errorf("counts tokens: %v", counts)
			}
			asks := e.Edits != nil && e.Edits.AskUsage
			if asks != test.carries {
				t.Errorf("asks for usage: %v", asks)
			}
		})
	}
}

func TestClaudesModelIsInThePathAndItsVersionInTheBody(t *testing.T) {
	clearEnvironment(t)
	p := mustLoad(t, `{`+base+`}`)
	chat := p.Chat(providers.Call{Model: "claude-x"})
	count, ok := p.CountTokens(providers.Call{Model: "claude-x"})
	if !ok || !strings.HasSuffix(count.URL.Path, "/publishers/anthropic/models/count-tokens:rawPredict") {
		t.Errorf("counts at %s", count.URL)
	}
	if !slices.Equal(chat.Edits.Omit, []string{"model"}) || len(count.Edits.Omit) != 0 {
		t.Errorf("omits %v, to count %v", chat.Edits.Omit, count.Edits.Omit)
	}
	for _, e := range []providers.Endpoint{chat, count} {
		if len(e.Edits.Set) != 1 || e.Edits.Set[0].Name != "anthropic_version" || string(e.Edits.Set[0].Value) != `"vertex-2023-10-16"` {
			t.Errorf("sets %v", e.Edits.Set)
		}
		if !slices.Equal(e.Forward, []string{"Anthropic-Beta"}) || len(e.Header) != 0 {
			t.Errorf("header %v, forwards %v", e.Header, e.Forward)
		}
	}
}

func TestEmbeddingsArePredictionsForEveryClient(t *testing.T) {
	clearEnvironment(t)
	e := mustLoad(t, `{`+base+`}`).Embeddings(providers.Call{Model: "gemini-embedding-001", Client: transform.Gemini, Single: true})
	if !strings.HasSuffix(e.URL.Path, "/publishers/google/models/gemini-embedding-001:predict") || e.Codec.Format() == transform.Gemini {
		t.Fatalf("%s in format %s", e.URL, e.Codec.Format())
	}
	codec := e.Codec.(transform.EmbeddingProvider)
	var lost transform.Losses
	body, err := codec.AppendEmbeddingRequest(nil, &transform.EmbeddingRequest{Inputs: []transform.Literal{transform.Quote("a")}}, transform.Target{}, &lost)
	if err != nil || string(body) != `{"instances":[{"content":"a"}]}` {
		t.Errorf("%s (%v)", body, err)
	}
}

func TestHostsAndProjects(t *testing.T) {
	const model, end = "gemini-x", "/publishers/google/models/gemini-x:generateContent"
	for _, test := range []struct{ name, config, env, want string }{
		{"nothing but a project", `{"project":"p"}`, "", "https://aiplatform.googleapis.com/v1/projects/p/locations/global"},
		{"a region", `{"project":"p","location":"us-central1"}`, "", "https://us-central1-aiplatform.googleapis.com/v1/projects/p/locations/us-central1"},
		{"of a continent", `{"project":"p","location":"eu"}`, "", "https://aiplatform.eu.rep.googleapis.com/v1/projects/p/locations/eu"},
		{"of another", `{"project":"p","location":"us"}`, "", "https://aiplatform.us.rep.googleapis.com/v1/projects/p/locations/us"},
		{"variables", `{}`, "GOOGLE_CLOUD_PROJECT=q GOOGLE_CLOUD_LOCATION=asia-east1", "https://asia-east1-aiplatform.googleapis.com/v1/projects/q/locations/asia-east1"},
		{"variables of its own first", `{}`, "GOOGLE_CLOUD_PROJECT=q GOOGLE_CLOUD_LOCATION=asia-east1 GOOGLE_VERTEX_PROJECT=v GOOGLE_VERTEX_LOCATION=eu", "https://aiplatform.eu.rep.googleapis.com/v1/projects/v/locations/eu"},
		{"a config before variables", `{"project":"p","location":"us"}`, "GOOGLE_VERTEX_PROJECT=v GOOGLE_VERTEX_LOCATION=eu", "https://aiplatform.us.rep.googleapis.com/v1/projects/p/locations/us"},
		{"a placeholder", `{"project":"{env.GOOGLE_CLOUD_PROJECT}"}`, "GOOGLE_CLOUD_PROJECT=q", "https://aiplatform.googleapis.com/v1/projects/q/locations/global"},
		{"express mode", `{"api_key":"k"}`, "GOOGLE_CLOUD_PROJECT=q", "https://aiplatform.googleapis.com/v1"},
		{"a key and a project", `{"api_key":"k","project":"p"}`, "", "https://aiplatform.googleapis.com/v1/projects/p/locations/global"},
		{"another address", `{"project":"p","location":"us-central1","base_url":"http://127.0.0.1:1/vertex"}`, "", "http://127.0.0.1:1/vertex/v1/projects/p/locations/us-central1"},
		{"another address with its version", `{"project":"p","base_url":"http://127.0.0.1:1/x/v1/"}`, "", "http://127.0.0.1:1/x/v1/projects/p/locations/global"},
		{"a project of a domain", `{"project":"example.com:p"}`, "", "https://aiplatform.googleapis.com/v1/projects/example.com:p/locations/global"},
	} {
		t.Run(test.name, func(t *testing.T) {
			clearEnvironment(t)
			for _, set := range strings.Fields(test.env) {
				name, value, _ := strings.Cut(set, "=")
				t.Setenv(name, value)
			}
			if got := mustLoad(t, test.config).Chat(providers.Call{Model: model}).URL.String(); got != test.want+end {
				t.Errorf("goes to %s, want %s", got, test.want+end)
			}
		})
	}
}

// canary is in every secret here. No error may hold it.
const canary = "sEcReT"

func TestBadOptionsAreRefused(t *testing.T) {
	for _, test := range []struct{ name, config, err string }{
		{"no project", `{}`, "project is missing: set GOOGLE_CLOUD_PROJECT"},
		{"two credentials", `{"project":"p","access_token":"` + canary + `","api_key":"` + canary + `"}`, "only one of"},
		{"a file and a token", `{"project":"p","access_token":"` + canary + `","credentials_file":"x"}`, "only one of"},
		{"no file", `{"project":"p","credentials_file":"/nonexistent/x"}`, "reading credentials_file"},
		{"token with a line end", `{"project":"p","access_token":"` + canary + `\nX: y"}`, "access_token has characters"},
		{"token of an unset variable", `{"project":"p","access_token":"{env.UNSET_TOKEN}"}`, "resolving access_token"},
		{"unset variable", `{"project":"{env.UNSET_PROJECT}"}`, "resolving project"},
		{"location that is none", `{"project":"p","location":"a b"}`, "base_url"},
		{"unknown option", `{"project":"p","region":"x"}`, "region"},
	} {
		t.Run(test.name, func(t *testing.T) {
			clearEnvironment(t)
			_, err := load(t, test.config)
			if err == nil || !strings.Contains(err.Error(), test.err) || strings.Contains(err.Error(), canary) {
				t.Errorf("error is %v, want %q", err, test.err)
			}
		})
	}
}

func TestBlocks(t *testing.T) {
	for _, test := range []struct{ name, block, want, err string }{
		{"all", "vertex {\n project p\n location us\n credentials_file /f\n models gemini-*\n}", `{"models":"gemini-*","project":"p","location":"us","credentials_file":"/f"}`, ""},
		{"token", "vertex {\n project p\n access_token {env.T}\n}", `{"project":"p","access_token":"{env.T}"}`, ""},
		{"token with too much", "vertex {\n access_token " + canary + " " + canary + "\n}", "", "access_token takes one value"},
		{"twice", "vertex {\n project p\n project q\n}", "", "project stands twice"},
		{"unknown", "vertex {\n region x\n}", "", "this provider takes base_url, api_key, header, models, access_token, credentials_file, location, project, limits, transport, warm_connections, trace_context and health"},
	} {
		t.Run(test.name, func(t *testing.T) {
			var p Vertex
			err := p.UnmarshalCaddyfile(caddyfile.NewTestDispenser(test.block))
			if test.err != "" {
				if err == nil || !strings.Contains(err.Error(), test.err) || strings.Contains(err.Error(), canary) {
					t.Errorf("error is %v, want %q", err, test.err)
				}
				return
			}
			if got, _ := json.Marshal(&p); err != nil || string(got) != test.want {
				t.Errorf("options are %s (%v), want %s", got, err, test.want)
			}
		})
	}
}

func TestVertexIsDiscoveredByItsOwnVariableOnly(t *testing.T) {
	clearEnvironment(t)
	t.Setenv("GOOGLE_CLOUD_PROJECT", "q")
	if slices.Contains(providers.Discover(), "vertex") {
		t.Error("GOOGLE_CLOUD_PROJECT alone is set for many reasons")
	}
	t.Setenv("GOOGLE_VERTEX_PROJECT", "v")
	if !slices.Contains(providers.Discover(), "vertex") {
		t.Error("was not found")
	}
	mustLoad(t, `{}`)
}

func header(t *testing.T, p *Vertex) http.Header {
	t.Helper()
	r, _ := http.NewRequestWithContext(t.Context(), http.MethodPost, "http://127.0.0.1", nil)
	if err := p.Sign(r, nil, p.Key(0)); err != nil {
		t.Fatal(err)
	}
	return r.Header
}
