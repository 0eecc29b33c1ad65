package answers_test

import (
	"context"
	"fmt"
	"net/http"
	"time"

	"github.com/caddyllm/llmproxy/cache/answers"
	"github.com/caddyllm/llmproxy/internal/jsonbytes"
	"github.com/caddyllm/llmproxy/transform"
	"github.com/caddyllm/llmproxy/transform/openai"
	"github.com/caddyllm/llmproxy/usage"
)

// The way of a request through the cache: what it asks, what is there, who makes
// the call, what of that is stored.
func Example() {
	ctx := context.Background()
	store, _ := answers.NewMemory(answers.MemoryOptions{})
	defer store.Close()
	flights := answers.NewFlights(answers.FlightOptions{})
	rules := answers.Rules{TTL: time.Hour}

	ask := func(body string, control ...string) (answer []byte, status answers.Status) {
		members, _ := jsonbytes.Scan(nil, []byte(body), 0)
		facts := answers.Examine(answers.Chat, transform.OpenAIChat, []byte(body), members)
		if reason := rules.Cacheable(facts); reason != answers.Admitted {
			return nil, answers.Status{Forward: answers.ForwardBypass, Detail: reason}
		}
		stream, _ := jsonbytes.Value(body).Get("stream").Bool()
		manner, convert := answers.MannerOf(stream, false, false), answers.Converter(openai.Codec{}, nil)
		question := answers.Question{Scope: rules.Scope.Of("app1", ""), Format: transform.OpenAIChat, Operation: "chat", Body: []byte(body)}
		key, wants, now := question.Key(), rules.Control(control), time.Now()

		found := answers.Look(ctx, store, key, &wants, now)
		if found.Entry != nil {
			answer, _ = found.Entry.In(manner, convert)
			return answer, answers.HitStatus(found.Entry, now)
		}
		status.Forward = found.Forward
		flight, follower := flights.Join(key, nil)
		if follower != nil {
			defer follower.Leave()
			if follower.Wait(ctx, manner, time.Minute) == answers.Landed {
				status.Collapsed = true
				answer, _ = follower.Entry().In(manner, convert)
				return answer, status
			}
		}
		defer flight.Close()
		answer = []byte(`{"id":"c","object":"chat.completion","created":1,"model":"m","choices":[{"index":0,"message":{"role":"assistant","content":"Hello."},"finish_reason":"stop"}]}`)
		made := answers.Answer{
			Status: http.StatusOK, Whole: true, Content: true, Finish: transform.FinishStop,
			Usage: usage.Tokens{Input: 3, Output: 2, Known: true}, Body: answer,
		}
		entry := &answers.Entry{Key: key, Scope: question.Scope, Format: transform.OpenAIChat, Created: time.Now(), Usage: made.Usage, Body: answer}
		var reason answers.Reason
		entry.TTL, reason = rules.Admit(facts, wants, &made)
		flight.Land(entry)
		status.Stored = reason == answers.Admitted && store.Put(ctx, entry)
		return answer, status
	}

	for _, request := range [][]string{
		{`{"model":"m","messages":[{"role":"user","content":"hi"}]}`},
		{`{"messages":[{"content":"h\u0069","role":"user"}],"model":"m"}`},
		{`{"model":"m","messages":[{"role":"user","content":"hi"}],"stream":true}`},
		{`{"model":"m","messages":[{"role":"user","content":"hi"}]}`, "no-cache"},
		{`{"model":"m","messages":[{"role":"user","content":"hi"}],"store":true}`},
	} {
		answer, status := ask(request[0], request[1:]...)
		fmt.Printf("%s, stored %v: %.16q\n", status.Word(), status.Stored, answer)
	}
	// Output:
	// miss, stored true: "{\"id\":\"c\",\"objec"
	// hit, stored false: "{\"id\":\"c\",\"objec"
	// hit, stored false: "data: {\"id\":\"c\","
	// bypass, stored true: "{\"id\":\"c\",\"objec"
	// bypass, stored false: ""
}
