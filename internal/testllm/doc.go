// Package testllm is a scriptable LLM provider for tests. It listens on a real
// socket, answers in the OpenAI, Anthropic or Gemini format, whichever the
// request is written in, misbehaves as told, and keeps a ledger of what it
// received and what it would have billed.
//
//	srv := testllm.New(t)
//	srv.Script(
//		testllm.Reply{Status: 429, Header: http.Header{"Retry-After": {"1"}}},
//		testllm.Reply{Text: "hello", Usage: testllm.Usage{Input: 3, Output: 1}},
//	)
//	… point the gateway at srv.URL+"/v1", send a request …
//	call := srv.WaitFinished(t, 2)[1]
package testllm
