package llmproxy_test

import (
	"bytes"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/caddyllm/llmproxy/internal/testllm"
)

// canaries are secrets by what they are, and what would give each away.
type canaries struct {
	values map[string]string
	traces map[string]string // 12 bytes of a spelling of a secret -> its name
}

const traceLength = 12

// add makes a secret. Random, so that no piece of it stands anywhere by chance.
func (c *canaries) add(name, prefix string) string {
	secret := make([]byte, 20)
	_, _ = rand.Read(secret)
	value := prefix + hex.EncodeToString(secret[:10]) + "+/&" + hex.EncodeToString(secret[10:])
	if c.values == nil {
		c.values, c.traces = map[string]string{}, map[string]string{}
	}
	c.values[name] = value
	spellings := []string{value, url.QueryEscape(value), url.PathEscape(value)}
	for shift := range 3 { // base64 depends on what stands before
		text := base64.StdEncoding.EncodeToString([]byte(value[shift:]))
		spellings = append(spellings, text, base64.URLEncoding.EncodeToString([]byte(value[shift:])))
	}
	for _, text := range spellings {
		for i := len(prefix); i+traceLength <= len(text); i++ {
			c.traces[text[i:i+traceLength]] = name
		}
	}
	return value
}

// seek fails if text holds a piece of a secret other than those named.
func (c *canaries) seek(t *testing.T, where, text string, but ...string) {
	t.Helper()
	for i := 0; i+traceLength <= len(text); i++ {
		name, found := c.traces[text[i:i+traceLength]]
		if !found {
			continue
		}
		allowed := false
		for _, b := range but {
			allowed = allowed || b == name
		}
		if !allowed {
			t.Errorf("%s tells the %s: %q", where, name, text[max(0, i-200):min(len(text), i+100)])
			return
		}
	}
}

// tokenOfKeySet stands in the config as text, and so in what shows the config.
const tokenOfKeySet = "token of the key set"

const canarySite = `{
	debug
	metrics
	grace_period 2s
}
http://:%[1]s {
	bind 127.0.0.1
	log {
		format filter {
			request>headers>X-Api-Key delete
			request>headers>Api-Key delete
			request>headers>X-Goog-Api-Key delete
			request>uri query {
				replace key REDACTED
			}
		}
	}
	llm_proxy {
		provider first openai {
			base_url %[2]s/v1
			api_key {env.FIRST} {env.SPARE}
			header X-Team {env.TEAM}
		}
		provider second anthropic {
			base_url %[3]s
			api_key {file.%[5]s}
		}
		provider third gemini {
			base_url %[4]s
			api_key {env.THIRD}
			header X-Goog-User-Project {env.PROJECT}
		}
		provider echo mock
		model m first/x second/y third/z
		model alone first/x
		auth {
			key app {env.APP}
			key filed {file.%[6]s}
			key hashed %[7]s
			jwt {
				jwks http://127.0.0.1:%[8]s/keys?token=%[9]s
				issuer https://issuer.example
				audience llm
			}
		}
		limits {
			requests 100000 minute
		}
		state redis {env.REDIS}
		retries 2
	}
}
`

func TestNoSecretLeavesItsPlace(t *testing.T) {
	t.Parallel()
	c, dir := new(canaries), t.TempDir()
	first, second, third := testllm.New(t), testllm.New(t), testllm.New(t)
	file := func(name, value string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(value), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	hashed := c.add("hashed client key", "sk-")
	digest := sha256.Sum256([]byte(hashed))
	nowhere, port := freePort(t), freePort(t)
	config := fmt.Sprintf(canarySite, port, first.URL, second.URL, third.URL,
		file("second", c.add("second provider's key", "sk-ant-")), file("client", c.add("client key of a file", "sk-")), "sha256:"+hex.EncodeToString(digest[:]),
		nowhere, url.QueryEscape(c.add(tokenOfKeySet, "")))
	file("Caddyfile", config)
	s := start(t, dir, []string{
		"FIRST=" + c.add("first provider's key", "sk-"), "SPARE=" + c.add("first provider's spare key", ""), "TEAM=" + c.add("operator's header", ""),
		"THIRD=" + c.add("third provider's key", "AIza"), "PROJECT=" + c.add("operator's second header", ""), "APP=" + c.add("client key", "sk-"),
		"REDIS=redis://user:" + url.QueryEscape(c.add("password of Redis", "")) + "@127.0.0.1:" + nowhere + "/0",
	}, "--config", "Caddyfile")
	client := &http.Client{Transport: &http.Transport{}}
	defer client.CloseIdleConnections()
	base := "http://127.0.0.1:" + port
	send := func(method, path, body string, header ...string) reply {
		got := exchange(t, client, method, base+path, body, header...)
		c.seek(t, "the answer of "+path, fmt.Sprint(got.header, got.body))
		return got
	}
	providers := map[*testllm.Server][]string{
		first:  {"first provider's key", "first provider's spare key", "operator's header"},
		second: {"second provider's key"},
		third:  {"third provider's key", "operator's second header"},
	}
	each := func(f func(*testllm.Server)) {
		for provider := range providers {
			f(provider)
		}
	}
	script := func(reply func(own []string) testllm.Reply) {
		each(func(p *testllm.Server) {
			var own []string
			for _, name := range providers[p] {
				own = append(own, c.values[name])
			}
			p.Script(reply(own))
		})
	}
	chats := func(header ...string) {
		for _, stream := range []bool{false, true} {
			send(http.MethodPost, "/v1/chat/completions", chatBody("m", "hi", stream), header...)
			send(http.MethodPost, "/v1/chat/completions", chatBody("alone", "hi", stream), header...)
			send(http.MethodPost, "/v1/chat/completions", chatBody("third/z", "hi", stream), header...)
			send(http.MethodPost, "/v1/messages", strings.Replace(chatBody("second/y", "hi", stream), "{", `{"max_tokens":9,`, 1), header...)
		}
	}

	// Clients' keys in every place, and in the wrong ones.
	for _, name := range []string{"client key", "client key of a file", "hashed client key"} {
		key := c.values[name]
		for _, header := range [][]string{
			{"Authorization", "Bearer " + key}, {"X-Api-Key", key}, {"Api-Key", key}, {"X-Goog-Api-Key", key},
		} {
			if got := send(http.MethodGet, "/v1/models", "", header...); got.status != 200 {
				t.Fatalf("%s in %s: %d %s", name, header[0], got.status, got.body)
			}
			chats(header...)
			send(http.MethodPost, "/v1/embeddings", `{"model":"alone","input":"hi"}`, header...)
			send(http.MethodPost, "/v1/messages/count_tokens", chatBody("second/y", "hi", false), header...)
			send(http.MethodPost, "/v1/chat/completions", `{"model":`, header...)
			send(http.MethodPost, "/v1/nowhere", "{}", header...)
		}
		query := "?key=" + url.QueryEscape(key)
		send(http.MethodPost, "/v1beta/models/third/z:generateContent"+query, `{"contents":[{"role":"user","parts":[{"text":"hi"}]}]}`).says(t, 200)
		send(http.MethodPost, "/v1beta/models/m:streamGenerateContent"+query+"&alt=sse", `{"contents":[{"role":"user","parts":[{"text":"hi"}]}]}`).says(t, 200)
		send(http.MethodPost, "/v1/chat/completions", chatBody("m", "hi", false), "Authorization", "Basic "+base64.StdEncoding.EncodeToString([]byte("user:"+key)))
		send(http.MethodPost, "/v1/chat/completions", chatBody("m", "hi", false), "Authorization", "Bearer "+key+"x").says(t, 401)
		send(http.MethodPost, "/v1/chat/completions", chatBody("m", "hi", false), "Authorization", "Bearer "+key, "X-Api-Key", c.values["first provider's key"]).says(t, 400)
		send(http.MethodPost, "/v1/chat/completions", chatBody("m", "hi", false), "Authorization", key)
	}
	token := c.add("a client's token", "eyJhbGciOiJSUzI1NiJ9.") + ".c2ln"
	send(http.MethodPost, "/v1/chat/completions", chatBody("m", "hi", false), "Authorization", "Bearer "+token)
	send(http.MethodPost, "/v1/chat/completions", chatBody("m", "hi", false), "Authorization", "Bearer "+exampleToken(t, "jane")) // asks for the key set

	// Providers that repeat what they were sent.
	app := []string{"Authorization", "Bearer " + c.values["client key"]}
	for _, status := range []int{400, 401, 402, 403, 404, 408, 413, 422, 429, 500, 502, 503, 529} {
		script(func(own []string) testllm.Reply {
			said := "key " + strings.Join(own, ", ") + " is wrong"
			return testllm.Reply{Status: status, Error: testllm.Error{Message: said, Code: own[0], Type: own[0]}, Header: http.Header{"X-Request-Id": own[:1], "Request-Id": own[:1], "Retry-After": own[:1]}}
		})
		chats(app...)
	}
	for _, after := range []int{testllm.AtOnce, 1} {
		script(func(own []string) testllm.Reply {
			return testllm.Reply{ErrorAfter: after, Error: testllm.Error{Message: "key " + strings.Join(own, ", ") + " is wrong", Type: own[0], Code: own[0]}}
		})
		chats(app...)
	}
	script(func(own []string) testllm.Reply {
		return testllm.Reply{Status: 500, Body: []byte("<html>" + strings.Join(own, " ") + "</html>"), ContentType: "text/html"}
	})
	chats(app...)
	script(func(own []string) testllm.Reply {
		return testllm.Reply{Status: 302, Header: http.Header{"Location": {"/?key=" + own[0]}, "Set-Cookie": own}}
	})
	chats(app...)
	script(func([]string) testllm.Reply { return testllm.Reply{ResetConnection: true} })
	chats(app...)
	script(func([]string) testllm.Reply { return testllm.Reply{} })

	// The admin API, reloads that work and reloads that do not.
	ask := func(method, path, body string) {
		status, answer := s.configure(t, method, path, body)
		if status == 404 {
			t.Errorf("%s: %d %s", path, status, answer)
		}
		if path == "/config/" {
			c.seek(t, "the config", answer, tokenOfKeySet)
			return
		}
		c.seek(t, "the admin API's "+path, answer)
	}
	look := func() {
		for _, path := range []string{"/llm_proxy/status", "/llm_proxy/keys", "/llm_proxy/models", "/llm_proxy/usage", "/metrics", "/config/"} {
			ask(http.MethodGet, path, "")
		}
		ask(http.MethodPost, "/llm_proxy/explain", `{"body":`+chatBody("m", "hi", true)+`,"header":{"X-Api-Key":"x"}}`)
		ask(http.MethodPost, "/llm_proxy/explain", `{"path":"/v1/messages","body":`+chatBody("m", "hi", false)+`}`)
	}
	look()
	reload := func(config string) {
		got := exchange(t, s.admin, http.MethodPost, "http://localhost/load", config, "Content-Type", "text/caddyfile")
		c.seek(t, "the answer to a reload", got.body)
	}
	reload(strings.Replace(config, "retries 2", "retries 1", 1))
	for _, mistake := range []string{"{env.NOT_SET}", "{file." + dir + "}", "{env.FIRST} {\n}", "{env.FIRST}\n\t\t\tcolour red"} {
		reload(strings.Replace(config, "{env.FIRST}", mistake, 1))
	}
	reload(strings.Replace(config, "key app {env.APP}", "key app "+c.values["client key"]+" "+c.values["client key"], 1))
	reload(strings.Replace(config, "state redis {env.REDIS}", "state redis redis://a:b@ {env.REDIS}", 1))
	chats(app...)
	look()

	// What is said, and what credentials stand in it, once with and once without payloads in the log.
	const unlogged, logged = "of which nobody is to read", "that the operator wants to read"
	say := func(words string) {
		for _, stream := range []bool{false, true} {
			for _, name := range []string{"client key", "client key of a file", "hashed client key", "first provider's key", "first provider's spare key", "operator's header", "third provider's key"} {
				asIs := chatBody("echo/echo", "words "+words+" "+c.values[name]+" and more", stream)
				escaped := strings.NewReplacer("&", `\u0026`, "+/", `+\/`).Replace(asIs[strings.Index(asIs, "words"):])
				for _, body := range []string{asIs, asIs[:strings.Index(asIs, "words")] + escaped} {
					exchange(t, client, http.MethodPost, base+"/v1/chat/completions", body, app...).says(t, 200, "words")
				}
			}
		}
	}
	say(unlogged)
	mark := s.mark()
	reload(strings.Replace(config, "retries 2", "retries 2\n\t\tlog_payloads on", 1))
	s.awaitAfter(t, mark, `"level":"warn"`, "prompts and answers are logged")
	say(logged)
	chats(app...)
	s.await(t, `"level":"error"`, "the store of limits cannot be reached")

	each(func(p *testllm.Server) {
		if len(p.Calls()) == 0 {
			t.Errorf("a provider was not asked")
		}
		for _, call := range p.Calls() {
			c.seek(t, "a request to a provider", fmt.Sprint(call.Path, call.Query, call.Header, string(call.Body)), providers[p]...)
		}
	})
	for _, setting := range s.cmd.Env {
		if home, ok := strings.CutPrefix(setting, "XDG_CONFIG_HOME="); ok {
			saved, err := os.ReadFile(filepath.Join(home, "caddy", "autosave.json"))
			if err != nil || !bytes.Contains(saved, []byte("{env.FIRST}")) {
				t.Errorf("autosave.json: %v %.100s", err, saved)
			}
			c.seek(t, "autosave.json", string(saved), tokenOfKeySet)
		}
	}
	s.stop(t)
	payloads := 0
	for line := range strings.Lines(s.text()) {
		isPayload := strings.Contains(line, "http.handlers.llm_proxy.payloads\",")
		if strings.Contains(line, unlogged) || strings.Contains(line, logged) != (isPayload && strings.Contains(line, "echo/echo")) {
			t.Errorf("this tells of prompts, or does not: %s", line)
		}
		if isPayload {
			payloads++
		}
		if strings.Contains(line, `"msg":"adjusted config"`) { // which Caddy shows for debugging, whole
			c.seek(t, "the log of the config", line, tokenOfKeySet)
			continue
		}
		c.seek(t, "the log", line)
	}
	if payloads != 2*7*2+8 {
		t.Errorf("%d payloads were logged", payloads)
	}
}
