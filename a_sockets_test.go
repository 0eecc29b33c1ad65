package llmproxy_test

import (
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/caddyllm/llmproxy/internal/testllm"
)

// besieged is a gateway that clients and providers mean no good.
type besieged struct {
	*server
	t        *testing.T
	provider *testllm.Server
	port     string
	client   *http.Client
}

const besiegedKey = "key-of-a-besieged-client"

// besiegedSite has the timeouts of a server that everybody can reach.
const besiegedSite = `{
	servers {
		timeouts {
			read_header 1s
			read_body 1s
			idle 5s
		}
	}
	%[3]s
}
http://:%[1]s {
	bind 127.0.0.1
	log
	log_append seen {http.llm_proxy.requested_model}
	log_append team {http.auth.user.team}
	llm_proxy {
		provider fake openai {
			base_url %[2]s/v1
			api_key key-of-the-gateway
		}
		provider other anthropic {
			base_url %[2]s
			api_key key-of-the-gateway
		}
		model all/* fake/* {
			default user {env.NOBODY}
		}
		auth {
			key app {env.APP_KEY} {
				metadata team "{http.request.header.X-Team}"
			}
		}
		retries 0
	}
}
`

func besiege(t *testing.T, globals string) *besieged {
	t.Helper()
	b := &besieged{t: t, provider: testllm.New(t), port: freePort(t), client: &http.Client{Transport: &http.Transport{}}}
	t.Cleanup(b.client.CloseIdleConnections)
	dir := t.TempDir()
	config := fmt.Sprintf(besiegedSite, b.port, b.provider.URL, globals)
	if err := os.WriteFile(filepath.Join(dir, "Caddyfile"), []byte(config), 0o600); err != nil {
		t.Fatal(err)
	}
	b.server = start(t, dir, besiegedEnv, "--config", "Caddyfile")
	return b
}

const unspoken = "canary-of-the-environment"

var besiegedEnv = []string{"SECRET=" + unspoken, "APP_KEY=" + besiegedKey, "NOBODY=nobody"}

func (b *besieged) post(path, body string, header ...string) reply {
	b.t.Helper()
	return exchange(b.t, b.client, http.MethodPost, "http://127.0.0.1:"+b.port+path, body, append(header, "X-Api-Key", besiegedKey)...)
}

func (b *besieged) dial() net.Conn {
	b.t.Helper()
	conn, err := net.Dial("tcp", "127.0.0.1:"+b.port)
	if err != nil {
		b.t.Fatal(err)
	}
	if err := conn.SetDeadline(time.Now().Add(patience)); err != nil {
		b.t.Fatal(err)
	}
	return conn
}

// raw sends bytes and reads what is answered to them until the server closes the
// connection, or has had time to answer a second request.
func (b *besieged) raw(text string) string {
	b.t.Helper()
	conn := b.dial()
	defer conn.Close()
	_, _ = io.WriteString(conn, text) // which the server may not want to hear out
	var answer []byte
	for {
		part := make([]byte, 4<<10)
		n, err := conn.Read(part)
		if answer = append(answer, part[:n]...); err != nil {
			return string(answer)
		}
		_ = conn.SetReadDeadline(time.Now().Add(300 * time.Millisecond))
	}
}

func TestA05SlowClientsHoldUpNobodyElse(t *testing.T) {
	t.Parallel()
	b := besiege(t, "")
	const each = 150
	head := "POST /v1/chat/completions HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nX-Api-Key: " + besiegedKey + "\r\n"
	var slow []net.Conn
	for range each {
		header, body := b.dial(), b.dial()
		slow = append(slow, header, body)
		if _, err := io.WriteString(header, head); err != nil { // and never an end of it
			t.Fatal(err)
		}
		if _, err := io.WriteString(body, head+"Content-Length: 1000\r\n\r\n{"); err != nil {
			t.Fatal(err)
		}
	}
	defer func() {
		for _, conn := range slow {
			conn.Close()
		}
	}()
	began, calls := time.Now(), 0
	for ; time.Since(began) < 500*time.Millisecond; calls++ {
		begin := time.Now()
		b.post("/v1/chat/completions", chatBody("fake/x", "hi", calls%2 == 0)).says(t, 200)
		if took := time.Since(begin); took > 2*time.Second {
			t.Errorf("a call took %v meanwhile", took)
		}
	}
	for i, conn := range slow {
		answer, err := io.ReadAll(conn) // ends when the server has closed it
		if err, ok := err.(net.Error); ok && err.Timeout() {
			t.Fatalf("connection %d is still open", i)
		}
		if strings.Contains(string(answer), "HTTP/1.1 200") {
			t.Fatalf("connection %d was answered with %s", i, answer)
		}
	}
	if n := len(b.provider.Calls()); n != calls {
		t.Errorf("the provider was asked %d times, want %d", n, calls)
	}
}

func TestA06NoRequestHidesInAnother(t *testing.T) {
	t.Parallel()
	b := besiege(t, "")
	const smuggled = "smuggled"
	request := func(header, body string) string {
		return "POST /v1/chat/completions HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nX-Api-Key: " + besiegedKey + "\r\n" + header + "\r\n" + body
	}
	good := chatBody("fake/x", "hi", false)
	length := fmt.Sprintf("Content-Length: %d\r\n", len(good))
	hidden := chatBody("fake/x", smuggled, false)
	second := request(fmt.Sprintf("Content-Length: %d\r\n", len(hidden)), hidden)
	chunked := fmt.Sprintf("%x\r\n%s\r\n0\r\n\r\n", len(good), good)
	for _, test := range []struct {
		name, text string
		refused    bool
	}{
		// net/http goes by the chunks, as RFC 9112, 6.3 says, and takes what follows
		// for a request of its own: it gets nothing of the first one's key.
		{"length and chunks", request("Transfer-Encoding: chunked\r\nContent-Length: 6\r\n", "0\r\n\r\n"+strings.Replace(second, "X-Api-Key", "X-No-Key", 1)), true},
		{"chunks that are none", request("Transfer-Encoding: xchunked\r\n"+length, good+second), true},
		{"chunks twice", request("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n", chunked+second), true},
		{"chunks and identity", request("Transfer-Encoding: chunked, identity\r\n", chunked+second), true},
		{"a space before the colon", request("Transfer-Encoding : chunked\r\n"+length, good), true},
		{"an odd space", request("Transfer-Encoding: \x0bchunked\r\n"+length, good), true},
		{"two lengths", request(length+"Content-Length: 3\r\n", good+second), true},
		{"two lengths in one", request("Content-Length: 3, 4\r\n", good+second), true},
		{"a length with a sign", request("Content-Length: +3\r\n", good+second), true},
		{"a negative length", request("Content-Length: -3\r\n", good+second), true},
		{"a length in hex", request("Content-Length: 0x3\r\n", good+second), true},
		{"a NUL in a value", request(length+"X-A: a\x00b\r\n", good), true},
		{"a NUL in a name", request(length+"X-\x00A: a\r\n", good), true},
		{"a bare CR", request(length+"X-A: a\rX-B: b\r\n", good), true},
		{"no name", request(length+": b\r\n", good), true},
		{"a bare LF", strings.ReplaceAll(request(length, ""), "\r\n", "\n") + good, false},
		{"a folded line", request(length+"X-A: a\r\n X-B: b\r\n", good), false},
		{"a folded key", strings.Replace(request(length, good), "X-Api-Key: ", "X-Api-Key:\r\n ", 1), false},
		{"a key that goes on", request(length, good)[:0] + strings.Replace(request(length, good), besiegedKey+"\r\n", besiegedKey+"\r\n more\r\n", 1), true},
		{"a key for one hop", request(length+"Connection: x-api-key, authorization, close\r\n", good), false},
		{"a chunk size with a line end within", request("Transfer-Encoding: chunked\r\n", fmt.Sprintf("%x;a=\n%s\r\n0\r\n\r\n", len(good), good)), true},
		{"a chunk size with a sign", request("Transfer-Encoding: chunked\r\n", fmt.Sprintf("+%x\r\n%s\r\n0\r\n\r\n", len(good), good)), true},
		{"a chunk without its end", request("Transfer-Encoding: chunked\r\n", fmt.Sprintf("%x\r\n%s0\r\n\r\n", len(good), good)), true},
		{"no host", strings.Replace(request(length, good), "Host: a\r\n", "", 1), true},
		{"two hosts", request(length+"Host: b\r\n", good), true},
	} {
		t.Run(test.name, func(t *testing.T) {
			before := len(b.provider.Calls())
			answer := b.raw(test.text)
			asked := len(b.provider.Calls()) - before
			if test.refused && (asked > 0 || strings.Contains(answer, "HTTP/1.1 200")) || !test.refused && asked != 1 {
				t.Errorf("the provider was asked %d times, and the answer is %.400s", asked, answer)
			}
			for _, call := range b.provider.Calls()[before:] {
				if call.Has(smuggled) || call.Has(besiegedKey) {
					t.Errorf("the provider got %v %s", call.Header, call.Body)
				}
			}
		})
	}
}

func TestA08NothingThatIsSentIsExpanded(t *testing.T) {
	t.Parallel()
	b := besiege(t, "")
	secret := filepath.Join(t.TempDir(), "secret")
	if err := os.WriteFile(secret, []byte(unspoken), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, placeholder := range []string{
		"{env.SECRET}", "{$SECRET}", "{file." + secret + "}", "{file./etc/passwd}", "{http.request.header.X-Api-Key}", "{http.auth.user.id}",
		"{system.hostname}", "{{env \"SECRET\"}}", "{{.Env.SECRET}}", "${SECRET}", "{{7*7}}", "${jndi:dns:a}",
	} {
		quoted, err := json.Marshal(placeholder)
		if err != nil {
			t.Fatal(err)
		}
		text := string(quoted)
		body := `{"model":"all/x","messages":[{"role":"system","content":` + text + `},{"role":"user","name":"n","content":[{"type":"text","text":` + text + `}]}],` +
			`"metadata":{` + text + `:` + text + `},"stop":[` + text + `],"safety_identifier":` + text + `,` +
			`"tools":[{"type":"function","function":{"name":"f","description":` + text + `,"parameters":{"type":"object","properties":{` + text + `:{}}}}}],` + text + `:` + text + `%s}`
		inner := text[1 : len(text)-1]
		for _, more := range []string{"", `,"stream":true`} {
			from := len(b.provider.Calls())
			b.provider.Script(testllm.Reply{Text: "one " + placeholder + " two", Model: placeholder, Header: http.Header{"X-Request-Id": {placeholder}}})
			got := b.post("/v1/chat/completions", fmt.Sprintf(body, more), "X-Team", placeholder, "User-Agent", placeholder, "Openai-Beta", placeholder)
			got.says(t, 200, inner)
			if id := got.header.Get("X-Upstream-Request-Id"); id != placeholder && id != "" {
				t.Errorf("the id is %q", id)
			}
			sent := string(b.provider.Calls()[from].Body)
			if strings.Count(sent, text) != strings.Count(body, text) || !strings.Contains(sent, `"user":"nobody"`) {
				t.Errorf("the provider got %s", sent)
			}
			b.provider.Script(testllm.Reply{Status: 400, Error: testllm.Error{Message: "no " + placeholder, Code: placeholder, Type: placeholder}})
			b.post("/v1/chat/completions", fmt.Sprintf(body, more)).says(t, 400, inner)
			b.provider.Script(testllm.Reply{Text: "one two " + placeholder, ErrorAfter: 1, Error: testllm.Error{Message: "no " + placeholder}})
			b.post("/v1/chat/completions", fmt.Sprintf(body, more))
		}
		b.provider.Script()
		b.post("/v1/messages", strings.Replace(fmt.Sprintf(body, `,"max_tokens":9`), "all/x", "other/x", 1)) // translated or refused, not expanded
		for _, model := range []string{text, `"fake/` + inner + `"`, `"all/` + inner + `"`} {
			got := b.post("/v1/chat/completions", `{"model":`+model+`,"messages":[{"role":"user","content":"hi"}]}`)
			got.says(t, 400, "invalid_value")
			if strings.Contains(fmt.Sprint(got.header, got.body), unspoken) {
				t.Errorf("the answer is %v %s", got.header, got.body)
			}
		}
		exchange(t, b.client, http.MethodPost, "http://127.0.0.1:"+b.port+"/v1/chat/completions", "{}", "Authorization", "Bearer "+placeholder).says(t, 401, "Invalid API key.")
	}
	for _, call := range b.provider.Calls() {
		if call.Has(unspoken) || call.Has(besiegedKey) || call.Has("root:") {
			t.Errorf("the provider got %v %s", call.Header, call.Body)
		}
	}
	for _, word := range []string{unspoken, besiegedKey, "root:x:"} {
		// The access log has X-Api-Key unless it is filtered, as the README says.
		if log := strings.ReplaceAll(b.text(), `"X-Api-Key":["`+besiegedKey+`"]`, ""); strings.Contains(log, word) {
			line, _ := lineWith(log, []string{word})
			t.Errorf("%q is in the log: %s", word, line)
		}
	}
}

func TestA10LineEndsBreakNoLogAndNoHeader(t *testing.T) {
	t.Parallel()
	b := besiege(t, "")
	const injected = `a\r\nX-Injected: 1\r\n\r\n{\"level\":\"info\",\"msg\":\"forged\"}\u0000\u001b[31m\u2028`
	for _, path := range []string{"/v1/chat/completions", "/v1/messages", "/v1/responses"} {
		for _, model := range []string{"fake/x", "other/x", injected, "fake/" + injected} {
			for _, stream := range []string{"false", "true"} {
				from := len(b.provider.Calls())
				got := b.post(path, `{"model":"`+model+`","max_tokens":9,"stream":`+stream+`,"input":"hi","messages":[{"role":"user","content":"`+injected+`"}],`+
					`"user":"`+injected+`","metadata":{"user_id":"`+injected+`","`+injected+`":"x"},"`+injected+`":1,"safety_identifier":"`+injected+`"}`)
				if strings.Contains(model, "Injected") {
					got.says(t, 400, "invalid_value")
				}
				for name := range got.header {
					if strings.Contains(name, "Injected") {
						t.Errorf("%s %s: the answer has %v", path, model, got.header)
					}
				}
				for _, call := range b.provider.Calls()[from:] {
					if call.Header.Get("X-Injected") != "" {
						t.Errorf("%s %s: the provider got %v", path, model, call.Header)
					}
				}
			}
		}
	}
	b.raw("POST /v1/chat/completions?a=%0d%0aX-Injected:%201 HTTP/1.1\r\nHost: a\r\nX-Api-Key: " + besiegedKey + "\r\nContent-Length: 2\r\nConnection: close\r\nX-Request-Id: a%0d%0ab\r\n\r\n{}")
	b.stop(t)
	for line := range strings.Lines(b.text()) {
		if strings.HasPrefix(line, "{") && !json.Valid([]byte(line)) {
			t.Errorf("no JSON: %s", line)
		}
		if strings.HasPrefix(line, `{"level":"info","msg":"forged"`) || strings.Contains(line, "\x1b") || strings.Contains(line, "\x00") {
			t.Errorf("a line of a client's: %s", line)
		}
	}
}

func TestA12FewFileDescriptorsEndNothing(t *testing.T) {
	t.Parallel()
	shell, err := exec.LookPath("sh")
	if err != nil || runtime.GOOS == "windows" {
		t.Skip("no shell to set the limit")
	}
	provider, port, dir := testllm.New(t), freePort(t), t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "Caddyfile"), fmt.Appendf(nil, besiegedSite, port, provider.URL, ""), 0o600); err != nil {
		t.Fatal(err)
	}
	socket := filepath.Join(shortDir(t), "admin")
	cmd := command(t, dir, append(besiegedEnv, "CADDY_ADMIN=unix/"+socket), "run", "--config", "Caddyfile")
	cmd.Args = append([]string{shell, "-c", `ulimit -n 128 && exec "$0" "$@"`, cmd.Path}, cmd.Args[1:]...)
	cmd.Path = shell
	b := &besieged{t: t, provider: provider, port: port, client: &http.Client{Transport: &http.Transport{}}}
	defer b.client.CloseIdleConnections()
	b.server = startCommand(t, socket, cmd)
	ask := func() reply { return b.post("/v1/chat/completions", chatBody("fake/x", "hi", false)) }
	ask().says(t, 200) // on a connection that stays
	if status, answer := b.configure(t, http.MethodGet, "/llm_proxy/status", ""); status != 200 {
		t.Errorf("the admin API answers %d %s", status, answer)
	}
	var crowd []net.Conn
	for range 500 {
		if conn, err := net.Dial("tcp", "127.0.0.1:"+port); err == nil {
			crowd = append(crowd, conn)
		}
	}
	b.await(t, "") // it lives
	for range 3 {
		if got := ask(); got.status != 200 && got.status != 502 && got.status != 503 {
			t.Errorf("the answer is %d %s", got.status, got.body)
		}
	}
	if status, answer := b.configure(t, http.MethodGet, "/llm_proxy/status", ""); status != 200 {
		t.Errorf("the admin API answers %d %s", status, answer)
	}
	for _, conn := range crowd {
		conn.Close()
	}
	for range 5 {
		fresh := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
		exchange(t, fresh, http.MethodPost, "http://127.0.0.1:"+port+"/v1/chat/completions", chatBody("fake/x", "hi", true), "X-Api-Key", besiegedKey).says(t, 200, "[DONE]")
	}
	b.stop(t)
}

func TestA14FullDiskOfLogsStopsNoCall(t *testing.T) {
	t.Parallel()
	if _, err := os.Stat("/dev/full"); err != nil {
		t.Skip("no device that is always full")
	}
	b := besiege(t, `log records {
		output file /dev/full {
			roll_disabled
		}
		include http.log.access llm_proxy http.handlers.llm_proxy
	}`)
	for i := range 200 {
		b.post("/v1/chat/completions", chatBody("fake/x", "hi", i%2 == 0)).says(t, 200)
	}
	b.provider.Script(testllm.Reply{Status: 500})
	b.post("/v1/chat/completions", chatBody("fake/x", "hi", false)).says(t, 500)
	if status, answer := b.configure(t, http.MethodGet, "/metrics", ""); status != 200 || !strings.Contains(answer, `ending="complete"`) {
		t.Errorf("the metrics are %d %.300s", status, answer)
	}
	b.stop(t)
}
