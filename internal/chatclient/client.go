// Package chatclient is a small chat at a terminal, by the API of OpenAI's Chat
// Completions.
package chatclient

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/caddyllm/llmproxy/internal/sse"
	"github.com/caddyllm/llmproxy/internal/terminal"
)

// Client asks one gateway.
type Client struct {
	base string
	key  string
	http http.Client
}

// New makes a client. The address is a URL, with or without /v1; without a scheme it is
// http on this machine and https elsewhere. The key is sent nowhere else; empty: none.
func New(address, key string) (*Client, error) {
	if !strings.Contains(address, "://") {
		scheme := "https://"
		if isLocal(address) {
			scheme = "http://"
		}
		address = scheme + address
	}
	base, err := url.Parse(strings.TrimSuffix(strings.TrimRight(address, "/"), "/v1"))
	if err != nil || base.Host == "" || base.Scheme != "http" && base.Scheme != "https" {
		return nil, errors.New("the address must be a URL such as http://localhost:8080")
	}
	if base.User != nil || base.RawQuery != "" || base.Fragment != "" {
		return nil, errors.New("the address must not have a user, a query or a fragment")
	}
	c := &Client{base: base.String(), key: key}
	c.http.Transport = &http.Transport{Proxy: http.ProxyFromEnvironment, ForceAttemptHTTP2: true}
	// A redirect would lose the body, or take the key elsewhere.
	c.http.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	return c, nil
}

func isLocal(address string) bool {
	host, _, _ := strings.Cut(address, "/")
	if name, _, err := net.SplitHostPort(host); err == nil {
		host = name
	}
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

// Close gives up the connections.
func (c *Client) Close() { c.http.CloseIdleConnections() }

// Message is what one side said.
type Message struct {
	Role    string `json:"role"`
	Content string `json:"content"`
}

// Answer is what came of a question, as far as it came.
type Answer struct {
	Text string
	// Finish is why it ended; empty: it did not.
	Finish string
	// Input and Output are its tokens, 0 if they are not known.
	Input, Output int64
	// Cost is in US dollars, empty if the gateway does not say.
	Cost string
	// First is the time to the first text, Total to the end.
	First, Total time.Duration
}

// maxAnswer bounds an answer that is no stream.
const maxAnswer = 1 << 20

// Models lists what may be asked for.
func (c *Client) Models(ctx context.Context) ([]string, error) {
	response, err := c.send(ctx, http.MethodGet, "/v1/models", nil)
	if err != nil {
		return nil, err
	}
	defer response.Body.Close()
	var list struct {
		Data []struct {
			ID string `json:"id"`
		} `json:"data"`
	}
	if err := json.NewDecoder(io.LimitReader(response.Body, maxAnswer)).Decode(&list); err != nil {
		return nil, fmt.Errorf("reading the list of models at %s: %w", c.base, err)
	}
	names := make([]string, 0, len(list.Data))
	for _, model := range list.Data {
		names = append(names, model.ID)
	}
	return names, nil
}

// Ask asks for the next message of a conversation and hands out its text as it comes,
// without what a terminal takes for a command. An error comes with what came before it.
func (c *Client) Ask(ctx context.Context, model string, messages []Message, show func(text string)) (answer Answer, err error) {
	began := time.Now()
	defer func() { answer.Total = time.Since(began) }()
	body, err := json.Marshal(map[string]any{
		"model": model, "messages": messages, "stream": true, "stream_options": map[string]bool{"include_usage": true},
	})
	if err != nil {
		return answer, err
	}
	response, err := c.send(ctx, http.MethodPost, "/v1/chat/completions", body)
	if err != nil {
		return answer, err
	}
	defer response.Body.Close()
	err = readStream(response.Body, func(piece *chunk) {
		piece.addTo(&answer, began, show)
	})
	for _, header := range []http.Header{response.Header, response.Trailer} {
		if cost := header.Get("X-Llm-Cost"); cost != "" {
			answer.Cost = terminal.Plain(cost)
		}
	}
	if cause := context.Cause(ctx); cause != nil {
		err = cause
	}
	return answer, err
}

// chunk is one event of a stream.
type chunk struct {
	Choices []struct {
		Delta struct {
			Content string `json:"content"`
			Refusal string `json:"refusal"`
		} `json:"delta"`
		Finish string `json:"finish_reason"`
	} `json:"choices"`
	Usage *struct {
		Input  int64 `json:"prompt_tokens"`
		Output int64 `json:"completion_tokens"`
	} `json:"usage"`
	Error *struct {
		Message string `json:"message"`
	} `json:"error"`
}

func (p *chunk) addTo(answer *Answer, began time.Time, show func(string)) {
	if p.Usage != nil {
		answer.Input, answer.Output = p.Usage.Input, p.Usage.Output
	}
	for i := range p.Choices {
		choice := &p.Choices[i]
		if choice.Finish != "" {
			answer.Finish = choice.Finish
		}
		text := terminal.Text(choice.Delta.Content + choice.Delta.Refusal)
		if text == "" {
			continue
		}
		if answer.First == 0 {
			answer.First = time.Since(began)
		}
		answer.Text += text
		show(text)
	}
}

// errBroken is an answer without an end.
var errBroken = errors.New("the answer broke off")

// readStream reads events up to [DONE].
func readStream(body io.Reader, add func(*chunk)) error {
	var events sse.Buffer
	for {
		_, err := events.Fill(body)
		for event, ok := events.Next(); ok; event, ok = events.Next() {
			data := bytes.TrimSpace(event.Data)
			switch {
			case len(data) == 0:
				continue // a heartbeat
			case string(data) == "[DONE]":
				_, _ = io.CopyN(io.Discard, body, maxAnswer) // trailers come behind the end
				return nil
			}
			var piece chunk
			if err := json.Unmarshal(data, &piece); err != nil {
				return fmt.Errorf("reading the answer: %w", err)
			}
			if piece.Error != nil {
				return errors.New(terminal.Text(piece.Error.Message))
			}
			add(&piece)
		}
		if err != nil {
			return errBroken
		}
	}
}

// send sends a request. Its answer is a good one: others are errors, in the words of
// who gave them.
func (c *Client) send(ctx context.Context, method, path string, body []byte) (*http.Response, error) {
	request, err := http.NewRequestWithContext(ctx, method, c.base+path, bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	request.Header.Set("User-Agent", "caddy-llm-proxy")
	if body != nil {
		request.Header.Set("Content-Type", "application/json")
	}
	if c.key != "" {
		request.Header.Set("Authorization", "Bearer "+c.key)
	}
	response, err := c.http.Do(request)
	if err != nil {
		if cause := context.Cause(ctx); cause != nil {
			return nil, cause
		}
		var failed *url.Error
		if errors.As(err, &failed) {
			err = failed.Err
		}
		return nil, fmt.Errorf("no gateway answers at %s: %w", c.base, err)
	}
	if response.StatusCode == http.StatusOK {
		return response, nil
	}
	defer response.Body.Close()
	return nil, c.refusal(response)
}

// refusal is what an answer says that is none.
func (c *Client) refusal(response *http.Response) error {
	text, _ := io.ReadAll(io.LimitReader(response.Body, maxAnswer)) // a part is enough
	var said chunk
	if json.Unmarshal(text, &said) == nil && said.Error != nil && said.Error.Message != "" {
		return errors.New(terminal.Text(said.Error.Message))
	}
	if to := response.Header.Get("Location"); to != "" {
		return fmt.Errorf("%s leads to %s: give that as the address", c.base, terminal.Plain(to))
	}
	return fmt.Errorf("%s answers with HTTP %d: is it the address of a gateway?", c.base, response.StatusCode)
}
