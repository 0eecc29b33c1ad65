package main

import (
	"bytes"
	"fmt"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// question is what an answer depends on.
type question struct {
	format string // openai, anthropic or gemini
	model  string
	stream bool
	usage  bool // OpenAI's clients ask for the count of a stream
}

func (s *session) question(u *url.URL) question {
	if name, verb, ok := strings.Cut(u.Path[strings.LastIndexByte(u.Path, '/')+1:], ":"); ok {
		return question{format: "gemini", model: name, stream: verb == "streamGenerateContent"}
	}
	q := question{format: "openai", model: member(s.body, "model"), stream: bytes.Contains(s.body, []byte(`"stream":true`))}
	if strings.HasSuffix(u.Path, "/messages") {
		q.format = "anthropic"
	} else if q.stream {
		q.usage = bytes.Contains(s.body, []byte(`"include_usage":true`))
	}
	return q
}

// shape is what a model's name asks for, such as bench-c100-d10ms-ts.
type shape struct {
	chunks int           // c: events with content
	delay  time.Duration // d: before each event but the first
	bytes  int           // b: of content, in an answer that is no stream
	stamp  bool          // ts: each event says in its content when it was sent
}

func parseShape(model string) shape {
	s := shape{chunks: 20, bytes: 680}
	for part := range strings.SplitSeq(model, "-") {
		switch n, err := strconv.Atoi(part[min(1, len(part)):]); {
		case part == "ts":
			s.stamp = true
		case part == "":
		case part[0] == 'd':
			s.delay, _ = time.ParseDuration(part[1:])
		case err != nil:
		case part[0] == 'c':
			s.chunks = n
		case part[0] == 'b':
			s.bytes = n
		}
	}
	return s
}

// script is an answer, rendered once.
type script struct {
	whole  []byte
	frames [][]byte // of a stream: each event as an HTTP chunk, the first after the header
	stamps []int    // where its time stands in a frame; -1: nowhere
	delay  time.Duration
}

const stampZero = "@0000000000000000000"

// appendFrame appends the i-th frame, with the time in it.
func (s *script) appendFrame(to []byte, i int) []byte {
	begin := len(to)
	to = append(to, s.frames[i]...)
	if at := s.stamps[i]; at >= 0 {
		copy(to[begin+at+1:], strconv.FormatInt(time.Now().UnixNano(), 10))
	}
	return to
}

func head(mediaType string, length int) []byte {
	h := "HTTP/1.1 200 OK\r\nContent-Type: " + mediaType + "\r\nX-Request-Id: req_bench\r\n"
	if length < 0 {
		return []byte(h + "Cache-Control: no-cache\r\nTransfer-Encoding: chunked\r\n\r\n")
	}
	return fmt.Appendf(nil, "%sContent-Length: %d\r\n\r\n", h, length)
}

const words = "the quick brown fox jumps over the lazy dog while seventeen engineers measure another gateway "

func (q question) script() *script {
	shape := parseShape(q.model)
	if !q.stream {
		body := q.body(strings.Repeat(words, shape.bytes/len(words)+1)[:shape.bytes])
		return &script{whole: append(head("application/json", len(body)), body...)}
	}
	s := &script{delay: shape.delay}
	text := "word "
	if shape.stamp {
		text = stampZero + " "
	}
	events := q.events(text, shape.chunks)
	for i, e := range events {
		frame := fmt.Sprintf("%x\r\n%s\r\n", len(e), e)
		if i == 0 {
			frame = string(head("text/event-stream", -1)) + frame
		}
		if i == len(events)-1 {
			frame += "0\r\n\r\n"
		}
		s.frames = append(s.frames, []byte(frame))
		s.stamps = append(s.stamps, strings.Index(frame, stampZero))
	}
	return s
}

// body is an answer that is no stream.
func (q question) body(text string) string {
	switch q.format {
	case "anthropic":
		return fmt.Sprintf(`{"id":"msg_bench","type":"message","role":"assistant","model":%q,"content":[{"type":"text","text":%q}],"stop_reason":"end_turn","stop_sequence":null,"usage":{"input_tokens":256,"output_tokens":170}}`, q.model, text)
	case "gemini":
		return fmt.Sprintf(`{"candidates":[{"content":{"parts":[{"text":%q}],"role":"model"},"finishReason":"STOP","index":0}],"usageMetadata":{"promptTokenCount":256,"candidatesTokenCount":170,"totalTokenCount":426},"modelVersion":%q,"responseId":"bench"}`, text, q.model)
	}
	return fmt.Sprintf(`{"id":"chatcmpl-bench","object":"chat.completion","created":1700000000,"model":%q,"choices":[{"index":0,"message":{"role":"assistant","content":%q,"refusal":null},"logprobs":null,"finish_reason":"stop"}],"usage":{"prompt_tokens":256,"completion_tokens":170,"total_tokens":426},"system_fingerprint":"fp_bench"}`, q.model, text)
}

// events is a stream, each event with its blank line.
func (q question) events(text string, chunks int) (list []string) {
	switch q.format {
	case "anthropic":
		return q.anthropicEvents(text, chunks)
	case "gemini":
		for i := range chunks {
			finish := ""
			if i == chunks-1 {
				finish = `,"finishReason":"STOP"`
			}
			list = append(list, fmt.Sprintf(`data: {"candidates":[{"content":{"parts":[{"text":%q}],"role":"model"}%s,"index":0}],"usageMetadata":{"promptTokenCount":256,"candidatesTokenCount":%d,"totalTokenCount":%d},"modelVersion":%q,"responseId":"bench"}`+"\r\n\r\n", text, finish, i+1, i+257, q.model))
		}
		return list
	}
	chunk := func(choices, usage string) string {
		return fmt.Sprintf(`data: {"id":"chatcmpl-bench","object":"chat.completion.chunk","created":1700000000,"model":%q,"system_fingerprint":"fp_bench","choices":[%s]%s}`+"\n\n", q.model, choices, usage)
	}
	none := ""
	if q.usage {
		none = `,"usage":null`
	}
	list = append(list, chunk(`{"index":0,"delta":{"role":"assistant","content":""},"logprobs":null,"finish_reason":null}`, none))
	for range chunks {
		list = append(list, chunk(fmt.Sprintf(`{"index":0,"delta":{"content":%q},"logprobs":null,"finish_reason":null}`, text), none))
	}
	list = append(list, chunk(`{"index":0,"delta":{},"logprobs":null,"finish_reason":"stop"}`, none))
	if q.usage {
		list = append(list, chunk("", fmt.Sprintf(`,"usage":{"prompt_tokens":256,"completion_tokens":%d,"total_tokens":%d}`, chunks, chunks+256)))
	}
	return append(list, "data: [DONE]\n\n")
}

func (q question) anthropicEvents(text string, chunks int) (list []string) {
	add := func(name, data string) {
		list = append(list, fmt.Sprintf("event: %s\ndata: {\"type\":%q%s}\n\n", name, name, data))
	}
	add("message_start", fmt.Sprintf(`,"message":{"id":"msg_bench","type":"message","role":"assistant","model":%q,"content":[],"stop_reason":null,"stop_sequence":null,"usage":{"input_tokens":256,"output_tokens":1}}`, q.model))
	add("content_block_start", `,"index":0,"content_block":{"type":"text","text":""}`)
	add("ping", "")
	for range chunks {
		add("content_block_delta", fmt.Sprintf(`,"index":0,"delta":{"type":"text_delta","text":%q}`, text))
	}
	add("content_block_stop", `,"index":0`)
	add("message_delta", fmt.Sprintf(`,"delta":{"stop_reason":"end_turn","stop_sequence":null},"usage":{"output_tokens":%d}`, chunks))
	add("message_stop", "")
	return list
}
