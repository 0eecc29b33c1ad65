package gateway

import (
	"bytes"
	"errors"
	"net/http"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/caddyllm/llmproxy/auth"
	"github.com/caddyllm/llmproxy/internal/jsonbytes"
	"github.com/caddyllm/llmproxy/routing"
	"github.com/caddyllm/llmproxy/transform"
	"github.com/caddyllm/llmproxy/transform/openai"
	"github.com/caddyllm/llmproxy/usage"
)

// call is one request on its way.
type call struct {
	g  *Gateway
	w  http.ResponseWriter
	r  *http.Request
	op operation
	// client is the format in which the client speaks.
	client openai.Codec

	principal *auth.Principal
	body      *buffer
	routing   routingFields
	plan      *routing.Plan
	// decoded is the request in neutral form, once a target needs it.
	decoded *decodedRequest

	// committed is set when the first byte of an answer goes to the client,
	// and nowhere but in commit: from then on there is no other target.
	committed bool
	record    usage.Record
	// accepted tells that a provider took the request on: it is never settled at zero.
	accepted bool
	// delivered guesses the tokens of an answer whose provider did not count them.
	delivered int64
}

// ServeHTTP answers a request, or leaves it alone and returns false if its path
// is not the gateway's.
func (g *Gateway) ServeHTTP(w http.ResponseWriter, r *http.Request) bool {
	op, model := g.Surface.match(r.Method, r.URL.Path)
	if op == opNone {
		return false
	}
	c := &call{g: g, w: w, r: r, op: op}
	c.record.Start = time.Now()
	c.record.RequestID = newRequestID()
	w.Header()["X-Request-Id"] = []string{c.record.RequestID}
	g.allowOrigin(w, r)
	switch op {
	case opLive, opReady:
		g.serveHealth(w, r, op)
	case opPreflight:
		g.servePreflight(w, r)
	case opNotFound:
		c.writeError(errUnknownPath)
	case opBadMethod:
		w.Header()["Allow"] = []string{g.Surface.methods(r.URL.Path)}
		c.writeError(errBadMethod)
	case opListModels, opGetModel:
		c.serveModels(model)
	default:
		c.serveMetered()
	}
	return true
}

// serveMetered serves a call that costs something: it is observed and settled
// whatever becomes of it.
func (c *call) serveMetered() {
	c.g.Observer.Started()
	defer c.settle()
	if err := c.serve(); err != nil {
		c.fail(err)
	}
}

// serve is the way of a request. An error is the client's answer, unless the
// answer has begun.
func (c *call) serve() error {
	if err := c.authenticate(); err != nil {
		return err
	}
	c.body = newBuffer()
	if err := c.g.readBody(c.w, c.r, c.body); err != nil {
		return err
	}
	if err := c.readRouting(); err != nil {
		return err
	}
	if err := c.makePlan(); err != nil {
		return err
	}
	return c.attemptAll()
}

func (c *call) authenticate() error {
	principal, err := c.g.Auth.Authenticate(c.r)
	if err != nil {
		return authError(err)
	}
	c.principal = principal
	c.record.Principal = principal.ID
	return nil
}

// routingFields is the single reading of a request that decides access, route
// and upstream body.
type routingFields struct {
	model        string
	stream       bool
	includeUsage bool
	several      bool // more than one answer is asked for
	members      []jsonbytes.Member
	few          [24]jsonbytes.Member // memory of members, for all but odd requests
}

// known are the members that decide something, here or at a provider. A
// spelling that differs in letter case alone is refused: parsers differ on
// whether it means the same.
var known = [...][]byte{
	[]byte("model"), []byte("stream"), []byte("messages"), []byte("input"), []byte("tools"),
	[]byte("stream_options"), []byte("max_tokens"), []byte("max_completion_tokens"), []byte("n"),
}

// readRouting scans the body once and keeps what the scan found.
func (c *call) readRouting() error {
	f := &c.routing
	var err error
	if f.members, err = jsonbytes.Scan(f.few[:0], c.body.bytes, c.g.Limits.Depth); err != nil {
		return scanError(err)
	}
	var model, content jsonbytes.Value
	for _, m := range f.members {
		key, value := c.key(m), m.Raw(c.body.bytes)
		switch string(key) {
		case "model":
			model = value
		case "stream":
			stream, ok := value.Bool()
			if !ok && !value.IsNull() {
				return errStreamType
			}
			f.stream = stream && c.op == opChat
		case "n":
			n, _ := value.Int()
			f.several = n > 1
		case contentMember[c.op]:
			content = value
		case "stream_options":
			if err := value.Unique("/stream_options"); err != nil {
				return scanError(err)
			}
			f.includeUsage, _ = value.Get("include_usage").Bool()
		default:
			if isVariant(key) {
				return scanError(&jsonbytes.KeyCaseError{Pointer: "/" + string(key), Offset: m.Key.From})
			}
		}
	}
	if model.Empty() {
		return errModelMissing
	}
	name, ok := model.Text()
	if !ok || !validModel(name) {
		return errModelName
	}
	f.model = name
	c.record.RequestedModel, c.record.Stream = name, f.stream
	return c.checkContent(content)
}

// contentMember is the member without which a request asks for nothing.
var contentMember = [...]string{opChat: "messages", opEmbeddings: "input"}

// checkContent refuses a request without content before anyone is asked.
func (c *call) checkContent(content jsonbytes.Value) error {
	kind := content.Kind()
	switch {
	case content.Empty():
		return errContentMissing[c.op]
	case kind == jsonbytes.Array && isEmptyArray(content):
		return errContentEmpty[c.op]
	case kind == jsonbytes.Array, c.op == opEmbeddings && kind == jsonbytes.String:
		return nil
	}
	return errContentType[c.op]
}

func isEmptyArray(v jsonbytes.Value) bool {
	for range v.Elements() {
		return false
	}
	return true
}

// key is the name of a member as it is meant: mod\u0065l is model.
func (c *call) key(m jsonbytes.Member) []byte {
	key := m.Key.Of(c.body.bytes)
	if bytes.IndexByte(key, '\\') < 0 {
		return key
	}
	return jsonbytes.Value(`"` + string(key) + `"`).AppendText(nil)
}

func isVariant(key []byte) bool {
	for _, k := range known {
		if !bytes.Equal(k, key) && bytes.EqualFold(k, key) { // also where U+017F stands for s
			return true
		}
	}
	return false
}

// validModel keeps names out of which no provider's model is made, and which
// would mean something else in a URL's path.
func validModel(name string) bool {
	if name == "" || len(name) > 256 || !utf8.ValidString(name) {
		return false
	}
	for _, r := range name {
		if r <= ' ' || r == 0x7f || strings.ContainsRune(`?#%\"<>{}|^`+"`", r) {
			return false
		}
	}
	for segment := range strings.SplitSeq(name, "/") {
		if segment == "." || segment == ".." {
			return false
		}
	}
	return true
}

func (c *call) makePlan() error {
	if !c.principal.MayUse(c.routing.model) {
		return errModelNotAllowed
	}
	plan, err := c.g.Routes.Plan(c.routing.model, c.principal.MayUse)
	if errors.Is(err, routing.ErrUnknownModel) {
		return modelNotFound(c.routing.model)
	}
	if err != nil {
		return err
	}
	c.plan = plan
	c.record.Route = plan.Label
	return nil
}

// fail answers with an error, or ends in silence what has begun: a relay has
// written its own ending by then.
func (c *call) fail(err error) {
	if c.r.Context().Err() != nil && !c.committed {
		err, c.record.Ending = errClientGone, usage.ClientGone
	}
	var e *transform.Error
	if !errors.As(err, &e) {
		e = errInternal
	}
	c.record.Error = e.Class()
	if !c.committed {
		c.writeError(err)
	}
}
