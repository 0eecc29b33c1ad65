package llmproxy_test

import (
	"os"
	"path/filepath"
	"testing"
)

func TestChatPrintsTheAnswerAndNothingElse(t *testing.T) {
	port := freePort(t)
	dir := writeConfig(t, "Caddyfile", ":"+port+" {\nllm_proxy {\nprovider mock\nmodel demo mock/echo\nauth {\nkey app {env.APP_KEY}\n}\n}\n}\n")
	if err := os.WriteFile(filepath.Join(dir, "key"), []byte("canary-of-the-app\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	env := []string{"APP_KEY=canary-of-the-app", "LLM_PROXY_KEY=canary-of-the-app", "WRONG=canary-wrong", "OPENAI_API_KEY=canary-openai"}
	start(t, dir, env, "--config", "Caddyfile")
	chat := func(env []string, stdin string, args ...string) said {
		t.Helper()
		return llm(t, dir, env, stdin, append([]string{"chat", "--address", "localhost:" + port}, args...)...)
	}
	chat(env, "", "Hello", "there").is(t, "Hello there\n") // of the first model
	chat(env, "from a pipe\n", "--model", "demo").is(t, "from a pipe\n")
	chat(env, "a file", "--model", "demo", "Read this:", "-").is(t, "Read this: a file\n")
	chat(env, "red \x1b[31mink\x07", "-m", "mock/echo").is(t, "red [31mink\n")
	chat(env[:1], "", "--key-file", "key", "hi").is(t, "hi\n")
	chat(env, "", "--key-env", "APP_KEY", "hi").is(t, "hi\n")
	chat(env, "", "--key-env", "WRONG", "-m", "demo", "hi").fails(t, "API key")
	chat(env[3:], "", "-m", "demo", "hi").fails(t, "Error: ", "API key") // OPENAI_API_KEY is for somebody else
	chat(env, "", "-m", "nobody", "hi").fails(t, "nobody")
	chat(env, "", "--key-env", "UNSET", "hi").fails(t, "the variable UNSET")
	chat(env, "", "--key-file", "nowhere", "hi").fails(t, "nowhere")
	chat(env, " \n").fails(t, "the prompt is empty")
	if broken := chat(env, "", "-m", "mock/die-mid-stream", "one two three four"); broken.out != "one two \n" || broken.code != 1 {
		t.Errorf("%+v", broken)
	}
	llm(t, dir, nil, "", "chat", "--address", "localhost:1", "hi").fails(t, "no gateway answers at http://localhost:1")
}
