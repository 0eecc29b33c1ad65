package gateway

import (
	"bytes"
	"encoding/json"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"unicode/utf8"

	"github.com/caddyllm/llmproxy/auth"
	"github.com/caddyllm/llmproxy/internal/excerpt"
	"github.com/caddyllm/llmproxy/transform"
	"github.com/caddyllm/llmproxy/usage"
)

// Payloads keep what calls say, for an operator who wants that logged. They hold no
// credential that the gateway knows, nor what looks like one, and no media.
type Payloads struct {
	// Wanted tells whether a call of this id is logged.
	Wanted func(requestID string) bool
	// Log is called once for each of them, when it is settled.
	Log func(*Payload)

	known sync.Once
	// providers replaces what is known of their secrets.
	providers *strings.Replacer
}

// A Payload is what a call said. Its client was known, and its request was read.
type Payload struct {
	Record *usage.Record
	// Request is as the client sent it, but for its coding; Answer as it was written
	// to the client, all events of a stream one after the other.
	Request, Answer Text
}

// Text is the beginning of a body.
type Text struct {
	Text string
	// Size is how long the body was, in bytes.
	Size int64
	// Truncated tells that some of it is missing.
	Truncated bool
}

// maxPayload bounds what is logged of a body. A little more is kept, so that no part
// of a secret is left where the text is cut.
const (
	maxPayload    = 64 << 10
	payloadMargin = 8 << 10
)

// payload is what one call says. Its methods may be called on nil.
type payload struct {
	http.ResponseWriter
	answer excerpt.Excerpt
	// body is the request's memory, of which this is an owner; request is what the
	// client sent, even if the call goes on with another text.
	body    *buffer
	request []byte
}

// keepPayload begins to keep what the call says, if that is wanted.
func (c *call) keepPayload() {
	if p := c.g.Payloads; p == nil || !p.Wanted(c.record.RequestID) {
		return
	}
	c.body.owners.Add(1)
	c.payload = &payload{ResponseWriter: c.w, answer: excerpt.New(maxPayload + payloadMargin), body: c.body, request: c.body.bytes}
	c.w = c.payload
}

// Write implements [http.ResponseWriter]. Writes come one at a time.
func (p *payload) Write(b []byte) (int, error) {
	n, err := p.ResponseWriter.Write(b)
	_, _ = p.answer.Write(b[:n])
	return n, err
}

// Unwrap is for [http.ResponseController].
func (p *payload) Unwrap() http.ResponseWriter { return p.ResponseWriter }

// log hands over what a call said, when the call is over.
func (p *payload) log(c *call) {
	if p == nil {
		return
	}
	defer p.body.release()
	request := excerpt.New(maxPayload + payloadMargin)
	_, _ = request.Write(p.request)
	out := c.g.Payloads
	clean := out.cleaner(c)
	out.Log(&Payload{
		Record:  &c.record,
		Request: textOf(&request, mediaType(c.r.Header), clean),
		Answer:  textOf(&p.answer, mediaType(c.w.Header()), clean),
	})
}

// textOf is what is logged of a body.
func textOf(e *excerpt.Excerpt, media string, clean func(string) string) Text {
	out := Text{Size: e.Size(), Truncated: e.Full()}
	text, ok := e.Text()
	if !ok {
		out.Text = "[" + strconv.FormatInt(out.Size, 10) + " bytes of " + media + "]"
		return out
	}
	text = clean(text)
	if out.Truncated { // half a secret may be left at the end
		text = text[:max(0, len(text)-payloadMargin)]
	}
	if len(text) > maxPayload {
		text, out.Truncated = text[:maxPayload], true
	}
	for out.Truncated && len(text) > 0 && !utf8.ValidString(text[max(0, len(text)-utf8.UTFMax):]) {
		text = text[:len(text)-1]
	}
	out.Text = text
	return out
}

// cleaner takes secrets out of what a call said: its own credential, those of
// providers and clients, and what looks like any.
func (p *Payloads) cleaner(c *call) func(string) string {
	p.known.Do(func() { p.providers = redactorOf(c.g.providerSecrets()) })
	own := redactorOf(auth.Credentials(c.r))
	return func(text string) string {
		text = own.Replace(p.providers.Replace(text))
		return transform.ScrubKeys(withoutWords(text, c.g.Auth.IsKey))
	}
}

// providerSecrets are what the gateway sends to providers that is nobody else's.
func (g *Gateway) providerSecrets() (list []string) {
	for _, upstream := range g.Routes.Upstreams() {
		settings := upstream.Base()
		list = append(append(list, settings.Keys()...), settings.Secrets()...)
		for _, values := range settings.FixedHeader() {
			for _, value := range values {
				list = append(list, strings.TrimPrefix(value, "Bearer "))
			}
		}
	}
	return list
}

const redacted = "[redacted]"

// redactorOf replaces secrets in all spellings that JSON and addresses have for them.
func redactorOf(secrets []string) *strings.Replacer {
	var pairs []string
	add := func(spelling string) {
		short := excerpt.New(len(spelling) + 1)
		_, _ = short.Write([]byte(spelling))
		shortened, _ := short.Text() // where it looks like media
		pairs = append(pairs, spelling, redacted, shortened, redacted)
	}
	for _, secret := range secrets {
		if len(secret) < leastSecret { // a stand-in, which is a word like any
			continue
		}
		add(secret)
		for _, escape := range [...]bool{false, true} {
			var quoted bytes.Buffer
			encoder := json.NewEncoder(&quoted)
			encoder.SetEscapeHTML(escape)
			if encoder.Encode(secret) == nil {
				spelling := strings.Trim(quoted.String(), "\"\n")
				add(spelling)
				add(strings.ReplaceAll(spelling, "/", `\/`))
			}
		}
		add(url.QueryEscape(secret))
	}
	return strings.NewReplacer(pairs...)
}

// maxWord is the longest word that may be a secret.
const maxWord = 4 << 10

// withoutWords takes out every word that is one, in the middle of a sentence or
// behind a name.
func withoutWords(text string, is func(string) bool) string {
	var out strings.Builder
	from := 0
	for at := 0; at < len(text); {
		end := at + strings.IndexFunc(text[at:], endsWord)
		if end < at {
			end = len(text)
		}
		if word := text[at:end]; len(word) >= leastSecret && len(word) <= maxWord {
			bare := word[transform.EscapedAt(text, at):]
			for _, candidate := range [...]string{word, bare, strings.TrimRight(bare, ".:!?"), word[strings.LastIndexAny(word, "=:")+1:]} {
				if len(candidate) >= leastSecret && is(candidate) {
					begin := at + strings.Index(word, candidate)
					out.WriteString(text[from:begin])
					out.WriteString(redacted)
					from = begin + len(candidate)
					break
				}
			}
		}
		at = end + 1
	}
	if from == 0 {
		return text
	}
	out.WriteString(text[from:])
	return out.String()
}

func endsWord(r rune) bool { return r <= ' ' || strings.ContainsRune("\"'`\\,;()[]{}<>", r) }
