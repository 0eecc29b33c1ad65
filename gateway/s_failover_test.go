package gateway_test

import (
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/caddyllm/llmproxy/gateway"
	"github.com/caddyllm/llmproxy/internal/testllm"
	"github.com/caddyllm/llmproxy/providers"
	_ "github.com/caddyllm/llmproxy/providers/bedrock" // a provider
	"github.com/caddyllm/llmproxy/usage"
)

// awsFrame is a message of Amazon's event stream, with headers in pairs.
func awsFrame(payload string, headers ...string) string {
	var list []byte
	for i := 0; i < len(headers); i += 2 {
		list = append(append(list, byte(len(headers[i]))), headers[i]...)
		list = binary.BigEndian.AppendUint16(append(list, 7), uint16(len(headers[i+1]))) //nolint:gosec // it is short
		list = append(list, headers[i+1]...)
	}
	frame := binary.BigEndian.AppendUint32(nil, uint32(16+len(list)+len(payload))) //nolint:gosec // it is short
	frame = binary.BigEndian.AppendUint32(frame, uint32(len(list)))                //nolint:gosec // it is short
	frame = binary.BigEndian.AppendUint32(frame, crc32.ChecksumIEEE(frame))
	frame = append(append(frame, list...), payload...)
	return string(binary.BigEndian.AppendUint32(frame, crc32.ChecksumIEEE(frame)))
}

func awsEvent(name, payload string) string {
	return awsFrame(payload, ":message-type", "event", ":event-type", name, ":content-type", "application/json")
}

func awsException(name string) string {
	return awsFrame(`{"message":"`+lostText+`"}`, ":message-type", "exception", ":exception-type", name, ":content-type", "application/json")
}

func awsChunk(event string) string {
	return awsEvent("chunk", `{"bytes":"`+base64.StdEncoding.EncodeToString([]byte(event))+`"}`)
}

const (
	awsStream    = "application/vnd.amazon.eventstream"
	messageStart = `{"type":"message_start","message":{"id":"` + lostText + `","type":"message","role":"assistant","model":"m","content":[],"stop_reason":null,"usage":{"input_tokens":3,"output_tokens":1}}}`
	blockStart   = `{"type":"content_block_start","index":0,"content_block":{"type":"text","text":""}}`
	created      = `{"type":"response.created","sequence_number":0,"response":{"id":"` + lostText + `","object":"response","status":"in_progress","output":[]}}`
	inProgress   = `{"type":"response.in_progress","sequence_number":1,"response":{"id":"` + lostText + `","object":"response","status":"in_progress","output":[]}}`
)

// starter is a provider as it begins a stream: its skeleton, without content, and
// the ways in which it says that it has too much to do.
type starter struct {
	module, model string
	base, more    string // of its config
	contentType   string
	skeleton      []string
	overloaded    []string
}

var starters = []starter{
	{
		module: "openai_compatible", model: "m", base: "/v1",
		skeleton: []string{skeletonChunk},
		overloaded: []string{
			`data: {"error":{"message":"` + lostText + `","type":"server_error","code":"overloaded"}}` + "\n\n",
			`data: {"error":{"message":"` + lostText + `","type":"server_error","code":503}}` + "\n\n",
			`data: {"error":{"message":"` + lostText + `","type":"tokens","code":"rate_limit_exceeded"}}` + "\n\n",
		},
	},
	{
		module: "openai", model: "m", base: "/v1", more: `,"api":"responses"`,
		skeleton: []string{"event: response.created\ndata: " + created + "\n\n", "event: response.in_progress\ndata: " + inProgress + "\n\n"},
		overloaded: []string{
			"event: error\n" + `data: {"type":"error","sequence_number":2,"code":"rate_limit_exceeded","message":"` + lostText + `","param":null}` + "\n\n",
			"event: response.failed\n" + `data: {"type":"response.failed","sequence_number":2,"response":{"id":"` + lostText + `","object":"response","status":"failed","error":{"code":"server_is_overloaded","message":"` + lostText + `"},"output":[]}}` + "\n\n",
		},
	},
	{
		module: "anthropic", model: "claude-opus-4-5",
		skeleton: []string{"event: message_start\ndata: " + messageStart + "\n\n", "event: ping\ndata: {\"type\":\"ping\"}\n\n", "event: content_block_start\ndata: " + blockStart + "\n\n"},
		overloaded: []string{
			"event: error\n" + `data: {"type":"error","error":{"type":"overloaded_error","message":"` + lostText + `"}}` + "\n\n",
			"event: error\n" + `data: {"type":"error","error":{"type":"rate_limit_error","message":"` + lostText + `"}}` + "\n\n",
		},
	},
	{
		module: "gemini", model: "gemini-3-pro",
		overloaded: []string{
			`data: {"error":{"code":503,"message":"` + lostText + `","status":"UNAVAILABLE"}}` + "\n\n",
			`data: {"error":{"code":429,"message":"` + lostText + `","status":"RESOURCE_EXHAUSTED"}}` + "\n\n",
		},
	},
	{
		module: "bedrock", model: "amazon.nova-pro-v1:0", more: `,"region":"us-east-1"`, contentType: awsStream,
		skeleton: []string{awsEvent("messageStart", `{"role":"assistant"}`)},
		overloaded: []string{
			awsException("serviceUnavailableException"), awsException("throttlingException"), awsException("modelNotReadyException"),
		},
	},
	{
		module: "bedrock", model: "anthropic.claude-opus-4-5", more: `,"region":"us-east-1"`, contentType: awsStream,
		skeleton: []string{awsChunk(messageStart), awsChunk(blockStart)},
		overloaded: []string{
			awsException("serviceUnavailableException"), awsException("throttlingException"),
			awsChunk(`{"type":"error","error":{"type":"overloaded_error","message":"` + lostText + `"}}`),
		},
	},
}

// begins is a gateway whose model m is served by the provider, and after it by an
// OpenAI-like one.
func (s *starter) begins(t *testing.T, change func(*gateway.Gateway)) (g *gate, first, second *testllm.Server) {
	t.Helper()
	first, second = testllm.New(t), testllm.New(t)
	return setup{
		upstreams: []*providers.Upstream{load(t, "first", s.module, first.URL+s.base, s.more), load(t, "second", "openai_compatible", second.URL+"/v1")},
		aliases:   []alias{{name: "m", to: []string{"first/" + s.model, "second/x"}}},
		change: func(g *gateway.Gateway) {
			g.Surface = gateway.Surface{OpenAI: true, Anthropic: true, Gemini: true}
			if change != nil {
				change(g)
			}
		},
	}.start(t), first, second
}

// stream asks a model for a stream in the client format.
func (g *gate) stream(t *testing.T, dialect int, model string) answer {
	t.Helper()
	d := dialects[dialect]
	return g.do(t, http.MethodPost, forModel(d.streamPath, model), forModel(d.streamBody, model), d.header...)
}

// wantSecond checks that the client saw nothing but the second provider's answer.
func wantSecond(t *testing.T, dialect int, got answer) {
	t.Helper()
	wantText(t, got, foundText)
	wantText(t, got, dialects[dialect].ends)
	if all := fmt.Sprint(got); strings.Contains(all, lostText) || strings.Contains(got.body, "rror\":{") {
		t.Errorf("the client saw the first target: %s", all)
	}
}

func TestS08OverloadedProvidersOfEveryFormatFailOver(t *testing.T) {
	for i := range starters {
		s := &starters[i]
		for dialect, d := range dialects {
			t.Run(d.name+" to "+s.module+"/"+s.model, func(t *testing.T) {
				for _, overloaded := range s.overloaded {
					for held := range len(s.skeleton) + 1 {
						g, first, second := s.begins(t, nil)
						first.Script(testllm.Reply{ContentType: s.contentType, RawEvents: append(s.skeleton[:held:held], overloaded)})
						second.Script(testllm.Reply{Chunks: []string{foundText}})
						wantSecond(t, dialect, g.stream(t, dialect, "m"))
						wantCalls(t, first, 1)
						wantCalls(t, second, 1)
						r := g.record(t)
						equal(t, "ending", r.Ending, usage.Complete)
						equal(t, "attempts", r.Attempts, 2)
						equal(t, "provider", r.Provider, "second")
						equal(t, "possible duplicate", r.PossibleDuplicate, false)
						if len(r.Failures) != 1 || r.Failures[0].Provider != "first" || r.Failures[0].Kind != "overloaded" && r.Failures[0].Kind != "rate_limit_exceeded" {
							t.Errorf("after %q and %q the failures are %+v", s.skeleton[:held], overloaded, r.Failures)
						}
					}
				}
			})
		}
	}
}

func TestS10SilentProvidersOfEveryFormatFailOver(t *testing.T) {
	for i := range starters {
		s := &starters[i]
		for dialect, d := range dialects {
			for name, reply := range map[string]testllm.Reply{
				"no header":     {Hold: true, RawEvents: []string{}},
				"no event":      {RawEvents: []string{}, StallAfter: testllm.AtOnce},
				"skeleton only": {RawEvents: s.skeleton, StallAfter: len(s.skeleton)},
			} {
				if name == "skeleton only" && len(s.skeleton) == 0 {
					continue
				}
				t.Run(d.name+" to "+s.module+"/"+s.model+" "+name, func(t *testing.T) {
					t.Parallel()
					g, first, second := s.begins(t, func(g *gateway.Gateway) {
						// What the skeleton begins is a stream: its silence is that of any other.
						g.Limits.FirstToken, g.Limits.Idle = 60*time.Millisecond, 250*time.Millisecond
					})
					reply.ContentType = s.contentType
					first.Script(reply)
					second.Script(testllm.Reply{Chunks: []string{foundText}, Delay: 100 * time.Millisecond}) // the last may take its time
					wantSecond(t, dialect, g.stream(t, dialect, "m"))
					first.WaitCancelled(t, 1)
					r := g.record(t)
					equal(t, "ending", r.Ending, usage.Complete)
					equal(t, "possible duplicate", r.PossibleDuplicate, true)
					if len(r.Failures) != 1 || r.Failures[0].Kind != "timeout" || r.Failures[0].Tokens.Input == 0 {
						t.Errorf("failures are %+v", r.Failures)
					}
				})
			}
		}
	}
}

func TestS10SilenceOfTheLastProviderIsATimeout(t *testing.T) {
	for i := range starters {
		s := &starters[i]
		for dialect, d := range dialects {
			t.Run(d.name+" to "+s.module+"/"+s.model, func(t *testing.T) {
				t.Parallel()
				g, first, _ := s.begins(t, func(g *gateway.Gateway) { g.Limits.Total = 60 * time.Millisecond })
				first.Script(testllm.Reply{Hold: true})
				got := g.stream(t, dialect, "first/"+s.model)
				equal(t, "status", got.status, http.StatusGatewayTimeout)
				equal(t, "X-Should-Retry", got.header.Get("X-Should-Retry"), "false")
				if !strings.Contains(got.body, "did not answer in time") {
					t.Errorf("the error is %s", got.body)
				}
				first.WaitCancelled(t, 1)
				r := g.record(t)
				equal(t, "error", r.Error, "upstream_timeout")
				equal(t, "ending", r.Ending, usage.Failed)
				if r.Tokens.Input == 0 {
					t.Errorf("tokens are %+v", r.Tokens)
				}
			})
		}
	}
}

// virtual is pair on a network of memory, for the inside of a bubble.
func virtual(t *testing.T, http2 bool, change func(*gateway.Gateway)) (g *gate, a, b *testllm.Server) {
	t.Helper()
	a, b = testllm.Serve(t, listenPipe()), testllm.Serve(t, listenPipe())
	return setup{
		upstreams: []*providers.Upstream{load(t, "a", "openai", a.URL+"/v1", overPipes), load(t, "b", "openai", b.URL+"/v1", overPipes)},
		aliases:   []alias{{name: "m", to: []string{"a/model-a", "b/model-b"}}},
		change:    change, inMemory: true, http2: http2,
	}.start(t), a, b
}

// As long as the defaults say, to the nanosecond.
func TestS10SilenceLastsAsLongAsItMay(t *testing.T) {
	for name, test := range map[string]struct {
		second testllm.Reply
		status int
		after  time.Duration
	}{
		"failover": {testllm.Reply{Text: foundText}, http.StatusOK, gateway.DefaultFirstToken},
		"a slow second": {testllm.Reply{Text: foundText, Delay: 400 * time.Second}, http.StatusOK,
			gateway.DefaultFirstToken + 400*time.Second},
		"two that are silent": {testllm.Reply{Hold: true}, http.StatusGatewayTimeout, gateway.DefaultTotal},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				g, a, b := virtual(t, false, nil)
				a.Script(testllm.Reply{Hold: true})
				b.Script(test.second)
				began := time.Now()
				got := g.chat(t, askStream("m"))
				equal(t, "status", got.status, test.status)
				equal(t, "it took", time.Since(began), test.after)
				a.WaitCancelled(t, 1)
				if test.status != http.StatusOK {
					wantError(t, got, http.StatusGatewayTimeout, "upstream_timeout")
					b.WaitCancelled(t, 1)
				}
			})
		})
	}
}
