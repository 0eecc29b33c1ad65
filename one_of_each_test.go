package llmproxy_test

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
	"github.com/caddyserver/caddy/v2/caddyconfig/httpcaddyfile"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
	_ "github.com/caddyserver/caddy/v2/modules/metrics" // serves /metrics
	tracepb "go.opentelemetry.io/proto/otlp/trace/v1"

	"github.com/caddyllm/llmproxy/internal/testllm"
	"github.com/caddyllm/llmproxy/routing"
)

func init() {
	caddy.RegisterModule(new(mistaken))
	caddy.RegisterModule(new(tripwire))
	httpcaddyfile.RegisterHandlerDirective("tripwire", func(httpcaddyfile.Helper) (caddyhttp.MiddlewareHandler, error) { return new(tripwire), nil })
	httpcaddyfile.RegisterDirectiveOrder("tripwire", httpcaddyfile.Before, "basic_auth")
}

// mistaken is a selection policy that panics.
type mistaken struct{}

func (*mistaken) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{ID: routing.PolicyNamespace + ".mistaken", New: func() caddy.Module { return new(mistaken) }}
}
func (*mistaken) UnmarshalCaddyfile(*caddyfile.Dispenser) error { return nil }
func (*mistaken) Order(routing.Call, []routing.Target)          { panic("a mistake, with words of the client") }

// tripwire is a handler in front that panics once in the middle of an answer, if asked.
type tripwire struct{}

func (*tripwire) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{ID: "http.handlers.tripwire", New: func() caddy.Module { return new(tripwire) }}
}

func (*tripwire) ServeHTTP(w http.ResponseWriter, r *http.Request, next caddyhttp.Handler) error {
	if r.Header.Get("X-Trip") != "" {
		w = &tripped{ResponseWriter: w}
	}
	return next.ServeHTTP(w, r)
}

type tripped struct {
	http.ResponseWriter
	writes int
}

func (w *tripped) Unwrap() http.ResponseWriter { return w.ResponseWriter }
func (w *tripped) Write(p []byte) (int, error) {
	if w.writes++; w.writes == 2 {
		panic("another mistake")
	}
	return w.ResponseWriter.Write(p)
}

const oneOfEachSite = `{
	grace_period 1s
	auto_https off
}
http://:%[1]s {
	bind 127.0.0.1
	log
	metrics /metrics
	tracing /v1/* {
		span call
	}
	tripwire
	llm_proxy {
		provider a openai {
			base_url %[2]s/v1
			api_key key-of-provider-a
		}
		provider b openai {
			base_url %[3]s/v1
			api_key key-of-provider-b
		}
		model m a/x
		model two a/x b/x {
			retries 1
		}
		model odd {
			to a/x
			to a/y
			policy mistaken
		}
		auth {
			key app app-key-for-tests {
				metadata team red
			}
			key poor poor-key-for-tests {
				limits {
					requests 1 hour
				}
			}
		}
		retries 0
		breaker off
		cache memory
		state memory {
			file off
		}
		log_payloads on
	}
}
`

// onlooker watches a Caddy, and what it tells of each call.
type onlooker struct {
	*server
	base  string
	a, b  *testllm.Server
	spans *spans
}

func newOnlooker(t *testing.T) *onlooker {
	t.Helper()
	o := &onlooker{a: testllm.New(t), b: testllm.New(t), spans: collectSpans(t)}
	port, dir := freePort(t), t.TempDir()
	o.base = "http://127.0.0.1:" + port
	if err := os.WriteFile(filepath.Join(dir, "Caddyfile"), fmt.Appendf(nil, oneOfEachSite, port, o.a.URL, o.b.URL), 0o600); err != nil {
		t.Fatal(err)
	}
	o.server = startWithGuests(t, dir, o.spans.environment(), "--config", "Caddyfile")
	return o
}

// line is a line of the log.
type line map[string]any

func (l line) text(name string) string { s, _ := l[name].(string); return s }

// linesOf are the lines of a logger that belong to a call.
func (o *onlooker) linesOf(t *testing.T, logger, requestID string) (found []line) {
	t.Helper()
	for text := range strings.Lines(o.text()) {
		var l line
		if err := json.Unmarshal([]byte(text), &l); err != nil {
			t.Fatalf("%v in %s", err, text)
		}
		fields, ok := l["llm_proxy"].(map[string]any)
		if !ok {
			fields = l
		}
		if l.text("logger") == logger && line(fields).text("request_id") == requestID {
			found = append(found, l)
		}
	}
	return found
}

// metrics are the gateway's, by their names and labels.
func (o *onlooker) metrics(t *testing.T) map[string]float64 {
	t.Helper()
	all := make(map[string]float64)
	text := exchange(t, http.DefaultClient, http.MethodGet, o.base+"/metrics", "").body
	for sample := range strings.Lines(text) {
		name, isOurs := strings.CutPrefix(strings.TrimSpace(sample), "caddy_llm_proxy_")
		at := strings.LastIndexByte(name, ' ')
		if !isOurs || at < 0 {
			continue
		}
		value, err := strconv.ParseFloat(name[at+1:], 64)
		if err != nil {
			t.Fatalf("%v in %s", err, sample)
		}
		all[name[:at]] = value
	}
	return all
}

// grown is by how much a metric grew, over all labels that hold these parts.
func grown(before, after map[string]float64, name string, parts ...string) (sum float64) {
	for series, value := range after {
		found := strings.HasPrefix(series, name+"{") || series == name
		for _, part := range parts {
			found = found && strings.Contains(series, part)
		}
		if found {
			sum += value - before[series]
		}
	}
	return sum
}

// oneCall is a call, and what is to be told of it.
type oneCall struct {
	name                string
	model, key          string
	stream              bool
	script              func(o *onlooker)
	leave               bool // after the first event
	header              []string
	same                bool // as the call before
	level, ending, code string
	status              int // of the record
	attempts, failures  int
	provider, cache     string
	panics, payloads    int
}

// Whatever becomes of a call, it is told once in each place, and everywhere the same.
func TestOneCallIsOneOfEach(t *testing.T) {
	o := newOnlooker(t)
	const app, poor = "app-key-for-tests", "poor-key-for-tests"
	overloaded := testllm.Reply{Status: http.StatusServiceUnavailable}
	calls := []oneCall{
		{name: "success", key: app, level: "info", ending: "complete", status: 200, attempts: 1, provider: "a", cache: "miss", payloads: 1},
		{name: "cache hit", key: app, same: true, level: "info", ending: "complete", status: 200, provider: "a", cache: "hit", payloads: 1},
		{name: "stream", key: app, stream: true, level: "info", ending: "complete", status: 200, attempts: 1, provider: "a", cache: "miss", payloads: 1},
		{
			name: "failover", key: app, model: "two", script: func(o *onlooker) { o.a.Script(overloaded) },
			level: "info", ending: "complete", status: 200, attempts: 2, failures: 1, provider: "b", cache: "miss", payloads: 1,
		},
		{
			name: "every provider down", key: app, model: "two", script: func(o *onlooker) { o.a.Script(overloaded); o.b.Script(overloaded) },
			level: "error", ending: "failed", code: "overloaded", status: 503, attempts: 2, failures: 2, provider: "b", cache: "miss", payloads: 1,
		},
		{
			name: "client gone", key: app, stream: true, leave: true, script: func(o *onlooker) { o.a.Script(testllm.Reply{Chunks: []string{"one ", "two"}, StallAfter: 2}) },
			level: "info", ending: "client_gone", code: "client_closed_request", status: 200, attempts: 1, provider: "a", cache: "miss", payloads: 1,
		},
		{
			name: "provider cut", key: app, stream: true, script: func(o *onlooker) { o.a.Script(testllm.Reply{Chunks: []string{"one ", "two"}, CutAfter: 2}) },
			level: "error", ending: "broken", code: "upstream_stream_error", status: 200, attempts: 1, provider: "a", cache: "miss", payloads: 1,
		},
		{name: "within the limit", key: poor, level: "info", ending: "complete", status: 200, attempts: 1, provider: "a", cache: "miss", payloads: 1},
		{name: "limit refused", key: poor, level: "info", ending: "refused", code: "rate_limit_exceeded", status: 429, cache: "miss", payloads: 1},
		{name: "auth refused", key: "a-key-of-nobody", level: "info", ending: "refused", code: "invalid_api_key", status: 401},
		{name: "unknown model", key: app, model: "unheard-of", level: "info", ending: "refused", code: "model_not_found", status: 404, payloads: 1},
		{name: "panic", key: app, model: "odd", level: "error", ending: "refused", code: "internal_error", status: 500, panics: 1, payloads: 1},
		{
			name: "panic in an answer", key: app, stream: true, header: []string{"X-Trip", "1"},
			level: "error", ending: "broken", code: "internal_error", status: 200, attempts: 1, provider: "a", cache: "miss", panics: 1, payloads: 1,
		},
	}
	for _, c := range calls {
		t.Run(c.name, func(t *testing.T) { c.check(t, o) })
	}
	o.stop(t) // nothing comes late
	count := func(parts ...string) (n int) {
		for text := range strings.Lines(o.text()) {
			if _, found := lineWith(text, parts); found {
				n++
			}
		}
		return n
	}
	records, payloads, panics := count(`"logger":"http.handlers.llm_proxy.usage"`), count(`"logger":"http.handlers.llm_proxy.payloads"`), count(`"msg":"a call panicked"`)
	if n := len(o.spans.arrived); n > 0 {
		t.Errorf("%d spans belong to no call", n)
	}
	if records != len(calls) || payloads != len(calls)-1 || panics != 2 {
		t.Errorf("%d calls have %d records, %d payloads and %d panics", len(calls), records, payloads, panics)
	}
}

// Every call has its record, however many fail; what they have in common is not said every time.
func TestRecordsAreNeverLeftOutAndWarningsAre(t *testing.T) {
	o := newOnlooker(t)
	const calls = 30
	for range calls {
		c := &oneCall{name: "panic", key: "app-key-for-tests", model: "odd"}
		c.send(t, o)
	}
	for range calls {
		o.a.Script(testllm.Reply{Status: http.StatusServiceUnavailable})
		c := &oneCall{name: "down", key: "app-key-for-tests", model: "m"}
		c.send(t, o)
	}
	o.stop(t)
	for parts, n := range map[[2]string]int{
		{"llm_proxy.usage", `"error":"internal_error"`}: calls, {"llm_proxy.usage", `"error":"overloaded"`}: calls, {`"msg":"a call panicked"`, ""}: 5,
	} {
		found := 0
		for text := range strings.Lines(o.text()) {
			if strings.Contains(text, `"level":"error"`) && strings.Contains(text, parts[0]) && strings.Contains(text, parts[1]) {
				found++
			}
		}
		if found != n {
			t.Errorf("%d lines with %v, not %d", found, parts, n)
		}
	}
}

func (c *oneCall) check(t *testing.T, o *onlooker) {
	if c.script != nil {
		c.script(o)
	}
	if c.model == "" {
		c.model = "m"
	}
	before, mark := o.metrics(t), o.mark()
	c.send(t, o)
	var access line
	if err := json.Unmarshal([]byte(o.awaitAfter(t, mark, "http.log.access", "/v1/chat/completions")), &access); err != nil {
		t.Fatal(err)
	}
	told, _ := access["llm_proxy"].(map[string]any)
	record := line(told)
	id := record.text("request_id")
	usage := o.linesOf(t, "http.handlers.llm_proxy.usage", id)
	if id == "" || len(usage) != 1 || len(o.linesOf(t, access.text("logger"), id)) != 1 {
		t.Fatalf("call %q has %d records and this access log: %v", id, len(usage), access)
	}
	if n := len(o.linesOf(t, "http.handlers.llm_proxy.payloads", id)); n != c.payloads {
		t.Errorf("%d payloads", n)
	}
	c.checkPanics(t, o.linesOf(t, "http.handlers.llm_proxy", id))
	if level := usage[0].text("level"); level != c.level {
		t.Errorf("the level is %s", level)
	}
	same := maps.Clone(usage[0])
	for _, own := range []string{"level", "ts", "logger", "msg"} {
		delete(same, own)
	}
	if !reflect.DeepEqual(map[string]any(same), told) {
		t.Errorf("the record\n%v\nis not what the access log has\n%v", same, told)
	}
	c.checkRecord(t, access, record)
	c.checkMetrics(t, before, o.metrics(t), record)
	c.checkSpans(t, o.spans.next(t, 1+c.attempts), record)
}

// checkSpans looks at the call's own span and those of its attempts.
func (c *oneCall) checkSpans(t *testing.T, list []*tracepb.Span, record line) {
	t.Helper()
	var call *tracepb.Span
	failures, _ := record["failures"].([]any)
	for _, span := range list {
		if span.Kind == tracepb.Span_SPAN_KIND_SERVER {
			call = span
		}
	}
	if call == nil {
		t.Fatalf("there is no span of the call: %v", list)
	}
	wantFacts(t, call, map[string]string{
		"llm_proxy.request_id": record.text("request_id"), "llm_proxy.ending": c.ending, "llm_proxy.attempts": strconv.Itoa(c.attempts),
		"error.type": c.code, "llm_proxy.cache": c.cache,
	})
	attempts := slices.DeleteFunc(list, func(s *tracepb.Span) bool { return s == call })
	for i, attempt := range attempts {
		if attempt.Kind != tracepb.Span_SPAN_KIND_CLIENT || string(attempt.ParentSpanId) != string(call.SpanId) {
			t.Errorf("an attempt's span is %v", attempt)
		}
		ending := c.ending
		if i < len(failures) {
			ending = "failed"
		}
		wantFacts(t, attempt, map[string]string{"llm_proxy.attempt": strconv.Itoa(i + 1), "llm_proxy.ending": ending})
	}
}

// send makes the call.
func (c *oneCall) send(t *testing.T, o *onlooker) {
	t.Helper()
	text := c.name
	if c.same {
		text = "success"
	}
	request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, o.base+"/v1/chat/completions", strings.NewReader(chatBody(c.model, text, c.stream)))
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Authorization", "Bearer "+c.key)
	for i := 0; i+1 < len(c.header); i += 2 {
		request.Header.Set(c.header[i], c.header[i+1])
	}
	client := http.Client{Transport: &http.Transport{DisableKeepAlives: true}, Timeout: patience}
	response, err := client.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	if c.leave {
		if _, err := bufio.NewReader(response.Body).ReadString('\n'); err != nil {
			t.Fatal(err)
		}
		return
	}
	_, _ = io.Copy(io.Discard, response.Body) // which may be cut
}

func (c *oneCall) checkPanics(t *testing.T, found []line) {
	t.Helper()
	if len(found) != c.panics {
		t.Errorf("%d lines beside the record: %v", len(found), found)
	}
	for _, l := range found {
		if l.text("msg") != "a call panicked" || l.text("level") != "error" || l.text("user_id") != "app" || l.text("requested_model") != c.model ||
			l.text("operation") != "chat" || l.text("panic") != "string" || !strings.Contains(l.text("stack"), "gateway.") || strings.Contains(fmt.Sprint(l), "words of") {
			t.Errorf("the panic's line is %v", l)
		}
	}
}

func (c *oneCall) checkRecord(t *testing.T, access, record line) {
	t.Helper()
	want := line{
		"operation": "chat", "requested_model": c.model, "stream": c.stream, "status": float64(c.status), "ending": c.ending,
		"attempts": float64(c.attempts), "error": c.code, "provider": c.provider, "cache": c.cache,
	}
	if c.name != "auth refused" {
		want["user_id"] = map[bool]string{true: "poor", false: "app"}[strings.HasPrefix(c.key, "poor")]
		if access["user_id"] != want["user_id"] {
			t.Errorf("the access log is of user %v", access["user_id"])
		}
	}
	if c.name == "auth refused" { // nothing was read
		want["requested_model"] = ""
		want["stream"] = false
	}
	for name, value := range want {
		got, isThere := record[name]
		if !isThere {
			got = ""
		}
		if got != value {
			t.Errorf("%s is %v, not %v", name, got, value)
		}
	}
	if failures, _ := record["failures"].([]any); len(failures) != c.failures {
		t.Errorf("the failures are %v", failures)
	}
	if _, advised := record["advice"]; advised != (c.level != "info") {
		t.Errorf("advised: %v", record["advice"])
	}
	for _, always := range []string{"input_tokens", "output_tokens", "duration_ms", "bytes_in", "bytes_out"} {
		if _, isThere := record[always].(float64); !isThere {
			t.Errorf("there is no %s", always)
		}
	}
	if _, isThere := record["ttft_ms"]; isThere != (c.status == 200) {
		t.Errorf("ttft_ms is %v", record["ttft_ms"])
	}
	if size, _ := access["size"].(float64); size != record["bytes_out"] {
		t.Errorf("the access log has %v bytes, the record %v", size, record["bytes_out"])
	}
}

func (c *oneCall) checkMetrics(t *testing.T, before, after map[string]float64, record line) {
	t.Helper()
	count := func(n float64, name string, parts ...string) {
		t.Helper()
		if got := grown(before, after, name, parts...); got != n {
			t.Errorf("%s %v grew by %v, not %v", name, parts, got, n)
		}
	}
	number := func(name string) float64 { n, _ := record[name].(float64); return n }
	isThere := func(name string) float64 {
		if _, is := record[name]; is {
			return 1
		}
		return 0
	}
	count(1, "requests_total")
	count(1, "requests_total", `operation="chat"`, `model="`+record.text("route")+`"`, `provider="`+c.provider+`"`, fmt.Sprintf(`status="%d"`, c.status), `ending="`+c.ending+`"`)
	count(1, "request_duration_seconds_count")
	streamed := 0.0
	if record["stream"] == true {
		streamed = isThere("ttft_ms")
	}
	count(streamed, "time_to_first_token_seconds_count")
	count(isThere("cache"), "cache_requests_total")
	count(float64(c.attempts), "attempts_total")
	count(float64(c.failures), "failed_attempts_total")
	count(float64(c.panics), "panics_total")
	limited, _ := record["limited_by"].([]any)
	count(float64(len(limited)), "limit_refusals_total")
	for _, kind := range []string{"input", "output", "cache_read", "cache_write", "reasoning"} {
		n := number(kind + "_tokens")
		if c.cache == "hit" {
			n = 0 // no provider made them
		}
		count(n, "tokens_total", `kind="`+kind+`"`)
	}
	if after["requests_in_flight"] != 0 {
		t.Errorf("%v calls are in flight", after["requests_in_flight"])
	}
}
