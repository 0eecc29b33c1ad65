package gateway_test

import (
	"net/http"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/caddyllm/llmproxy/auth"
	"github.com/caddyllm/llmproxy/internal/testllm"
	"github.com/caddyllm/llmproxy/providers"
)

// allocated is how much f allocates in all, whatever is freed meanwhile.
func allocated(f func()) uint64 {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	f()
	runtime.ReadMemStats(&after)
	return after.TotalAlloc - before.TotalAlloc
}

// The model that counts is the member of the request itself, however it is
// written: rights are checked on what the provider is asked for.
func TestA02AccessIsByTheModelThatIsAskedFor(t *testing.T) {
	g, a, b := guarded(t)
	tool := func(schema string) string {
		return `"tools":[{"type":"function","function":{"name":"f","parameters":{"type":"object","properties":{` + schema + `}}}}]`
	}
	for _, test := range []struct {
		name, body string
		status     int
		code       string
	}{
		{"of a tool's schema, before", `{` + tool(`"model":{"const":"spare"},"Model":{}`) + `,"model":"m",` + messages + `}`, 200, ""},
		{"of a tool's schema, after", `{"model":"m",` + messages + `,` + tool(`"model":{"enum":["spare"]}`) + `}`, 200, ""},
		{"allowed inside, forbidden outside", `{` + tool(`"model":"m"`) + `,"model":"spare",` + messages + `}`, 403, "model_not_allowed"},
		{"in a message", `{"messages":[{"role":"user","content":"\",\"model\":\"spare\""}],"model":"m"}`, 200, ""},
		{"forbidden, escaped", `{"m\u006fdel":"sp\u0061re",` + messages + `}`, 403, "model_not_allowed"},
		{"allowed, then forbidden", `{"model":"m","model":"spare",` + messages + `}`, 400, "duplicate_key"},
		{"forbidden, then allowed", `{"model":"spare","model":"m",` + messages + `}`, 400, "duplicate_key"},
		{"forbidden in a name that folds", `{"model":"m","mode` + "\u013f" + `":"spare","MODEL":"spare",` + messages + `}`, 400, "invalid_key_case"},
		{"with a NUL", `{"model":"m\u0000","x":1,` + messages + `}`, 400, "invalid_value"},
		{"in a surrogate alone", `{"model":"m\ud800",` + messages + `}`, 403, "model_not_allowed"},
		{"in another case", `{"model":"M",` + messages + `}`, 403, "model_not_allowed"},
		{"with space", `{"model":" m",` + messages + `}`, 400, "invalid_value"},
	} {
		t.Run(test.name, func(t *testing.T) {
			before := len(a.Calls())
			got := g.chat(t, test.body, "X-Api-Key", narrow)
			if test.status != 200 {
				wantError(t, got, test.status, test.code)
				equal(t, "calls", len(a.Calls()), before)
				return
			}
			equal(t, "status", got.status, 200)
			equal(t, "model asked for", a.Calls()[before].Model, "x")
		})
	}
	wantCalls(t, b, 0)
}

func TestA03MonstrousBodiesAreRefusedSoonAndCheaply(t *testing.T) {
	g, srv := single(t, nil)
	const head = `{"model":"openai/x","messages":[{"role":"user","content":"hi"}]`
	members := new(strings.Builder)
	for i := range 300_000 {
		members.WriteString(`,"k` + strconv.Itoa(i) + `":0`)
	}
	for _, test := range []struct {
		name, body string
		status     int
	}{
		{"100,000 arrays in one another", head + `,"x":` + strings.Repeat("[", 100_000) + strings.Repeat("]", 100_000) + `}`, 400},
		{"100,000 objects in one another", head + `,"x":` + strings.Repeat(`{"a":`, 100_000) + `1` + strings.Repeat("}", 100_000) + `}`, 400},
		{"100,000 arrays that never end", head + `,"x":` + strings.Repeat("[", 100_000), 400},
		{"300,000 members, the last twice", head + members.String() + `,"k299999":1}`, 400},
		{"300,000 times the same member", head + strings.Repeat(`,"k":0`, 300_000) + `}`, 400},
		{"40 MB", head + `,"x":"` + strings.Repeat("x", 40<<20) + `"}`, 413},
		{"40 MB of white space", strings.Repeat(" ", 40<<20), 413},
		{"a model of 1,000,000 digits", `{"model":` + strings.Repeat("9", 1_000_000) + `,` + messages + `}`, 400},
		{"data after the end", head + `}` + strings.Repeat(" ", 1<<20) + `x`, 400},
		{"a second request after the end", head + `}` + head + `}`, 400},
		{"a string without end", head + `,"x":"` + strings.Repeat(`\u0041`, 1_000_000), 400},
	} {
		t.Run(test.name, func(t *testing.T) {
			var got answer
			var took time.Duration
			spent := allocated(func() {
				begin := time.Now()
				got = g.chat(t, test.body)
				took = time.Since(begin)
			})
			equal(t, "status", got.status, test.status)
			if took > 2*time.Second { // far above what it takes, for a busy machine
				t.Errorf("it took %v", took)
			}
			if spent > 200<<20 {
				t.Errorf("%d MB were allocated", spent>>20)
			}
			if len(got.body) > 4<<10 {
				t.Errorf("the error has %d bytes", len(got.body))
			}
		})
	}
	wantCalls(t, srv, 0)
	// What is only large is the provider's to judge.
	equal(t, "status with a number of 1,000,000 digits", g.chat(t, head+`,"seed":`+strings.Repeat("7", 1_000_000)+`}`).status, 200)
	equal(t, "status with 300,000 members", g.chat(t, head+members.String()+`}`).status, 200)
}

func TestA04BombsAreNotUnpacked(t *testing.T) {
	g, srv := single(t, nil)
	const size = 1 << 28 // of spaces, far above the limit of 32 MiB
	blank := strings.Repeat(" ", size)
	inGzip, inZstandard := gzipped(blank), zstandard(blank)
	for _, test := range []struct {
		name, coding, body string
		status             int
	}{
		{"gzip", "gzip", inGzip, 413},
		{"zstd", "zstd", inZstandard, 413},
		{"br", "br", inGzip, 415},
		{"deflate", "deflate", inGzip, 415},
		{"gzip in gzip", "gzip, gzip", gzipped(inGzip), 415},
		{"zstd told as gzip", "gzip", inZstandard, 400},
		{"gzip told as zstd", "zstd", inGzip, 400},
	} {
		t.Run(test.name, func(t *testing.T) {
			var got answer
			spent := allocated(func() { got = g.sendCoded(t, test.coding, test.body, true) })
			equal(t, "status", got.status, test.status)
			if spent > 200<<20 {
				t.Errorf("%d MB were allocated", spent>>20)
			}
		})
	}
	wantCalls(t, srv, 0)
}

// identities are header fields that some proxy or other believes.
var identities = []string{
	"X-User", "X-User-Id", "X-Forwarded-User", "X-Forwarded-Email", "X-Forwarded-Preferred-Username", "Remote-User", "X-Remote-User", "X-Auth-User",
	"X-Llm-Tenant", "X-Llm-User", "X-Llm-Key", "X-Consumer-Id", "X-Consumer-Username", "X-Authenticated-Userid", "X-Tenant-Id", "X-Group", "X-Principal",
	"X-Forwarded-For", "X-Forwarded-Host", "X-Forwarded-Proto", "X-Forwarded-Uri", "X-Original-Url", "X-Rewrite-Url", "X-Real-Ip", "Forwarded", "True-Client-Ip",
	"X-Portkey-Custom-Host", "X-Portkey-Provider", "X-Upstream-Host", "X-Target-Url", "X-Http-Method-Override", "X-Litellm-Api-Base", "Helicone-Target-Url",
}

func TestA07NoHeaderFieldSaysWhoCallsOrWhereTo(t *testing.T) {
	g, a, b := guarded(t)
	spoofs := func(value string, more ...string) (header []string) {
		header = more
		for _, name := range identities {
			for _, spelling := range []string{name, strings.ReplaceAll(name, "-", "_"), strings.ReplaceAll(name, "-", "."), strings.ToLower(name)} {
				header = append(header, spelling, value, spelling, "second")
			}
		}
		return header
	}
	for _, value := range []string{"app", appKey, b.URL, "localhost"} {
		got := g.chat(t, ask("m"), spoofs(value)...)
		wantError(t, got, http.StatusUnauthorized, "invalid_api_key")
		equal(t, "principal", g.record(t).Principal, "")
		got = g.chat(t, ask("spare"), spoofs(value, "X-Api-Key", narrow)...)
		wantError(t, got, http.StatusForbidden, "model_not_allowed")
		equal(t, "principal", g.record(t).Principal, "narrow")
	}
	wantCalls(t, a, 0)
	equal(t, "status", g.chat(t, ask("m"), spoofs("canary-of-the-client", "X-Api-Key", narrow)...).status, 200)
	wantCalls(t, a, 1)
	wantCalls(t, b, 0)
	if call := a.Calls()[0]; call.Has("canary-of-the-client") {
		t.Errorf("the provider got %v", call.Header)
	}
}

// Members that other gateways take for an address or a key name nothing here.
func TestA07NoMemberSaysWhereTo(t *testing.T) {
	listener, srv := testllm.New(t), testllm.New(t)
	g := setup{
		upstreams: []*providers.Upstream{load(t, "a", "openai", srv.URL+"/v1")},
		keys:      []auth.Key{{ID: "app", Digests: []auth.Digest{auth.DigestOf(appKey)}}},
	}.start(t)
	for _, name := range []string{
		"api_base", "base_url", "api_key", "azure_endpoint", "api_version", "vertex_project", "vertex_location", "aws_access_key_id", "aws_region_name",
		"organization", "custom_llm_provider", "extra_headers", "extra_body", "litellm_params", "spec_path", "provider_url", "host",
	} {
		for _, value := range []string{`"` + listener.URL + `"`, `{"url":"` + listener.URL + `","Host":"` + listener.URL + `"}`} {
			body := strings.Replace(ask("a/x"), "{", `{"`+name+`":`+value+`,`, 1)
			g.chat(t, body, "X-Api-Key", appKey)
		}
	}
	wantCalls(t, listener, 0)
	for _, call := range srv.Calls() {
		equal(t, "Authorization", call.Header.Get("Authorization"), "Bearer "+providerKey)
		equal(t, "Host", "http://"+call.Host, srv.URL)
	}
}
