package gateway

import (
	"bytes"
	"strings"
	"unicode/utf8"

	"github.com/caddyllm/llmproxy/internal/jsonbytes"
	"github.com/caddyllm/llmproxy/transform"
)

// routingFields is the single reading of a request that decides access, route
// and upstream body.
type routingFields struct {
	model        string
	stream       bool
	includeUsage bool
	several      bool // more than one answer is asked for
	// nested are the members in which a request may name further models.
	nested  [3]jsonbytes.Value
	members []jsonbytes.Member
}

// known are the members that decide something, here or at a provider. A
// spelling that differs in letter case alone is refused: parsers differ on
// whether it means the same.
var known = [...][]byte{
	[]byte("model"), []byte("stream"), []byte("messages"), []byte("input"), []byte("contents"), []byte("tools"),
	[]byte("stream_options"), []byte("max_tokens"), []byte("max_completion_tokens"), []byte("max_output_tokens"), []byte("n"),
}

// readRouting scans the body once and keeps what the scan found.
func (c *call) readRouting() error {
	if c.op == opForward && isMultipart(c.r.Header) {
		return c.readForm()
	}
	f := &c.routing
	var err error
	if f.members, err = jsonbytes.Scan(c.body.members[:0], c.body.bytes, c.g.Limits.Depth); err != nil {
		return scanError(err)
	}
	rule := c.contentRule()
	var model, content jsonbytes.Value
	for _, m := range f.members {
		key, value := c.key(m), m.Raw(c.body.bytes)
		if rule.in(key) && content.Empty() {
			content = value
			continue
		}
		switch string(key) {
		case "model":
			model = value
		case "stream":
			stream, ok := value.Bool()
			if !ok && !value.IsNull() {
				return errStreamType
			}
			f.stream = stream && c.streams()
		case "n":
			n, _ := value.Int()
			f.several = n > 1
		case "models":
			f.nested[0] = value
		case "fallbacks":
			f.nested[1] = value
		case "tools":
			f.nested[2] = value
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
	if err := c.nameModel(model); err != nil {
		return err
	}
	return rule.check(content)
}

// streams tells whether the operation can be answered as a stream, if the
// client's format says that in the body.
func (c *call) streams() bool {
	return c.op == opChat && c.client.Format() != transform.Gemini || c.op == opForward
}

// nameModel settles which model is asked for: the path's, else the body's.
func (c *call) nameModel(model jsonbytes.Value) error {
	name := c.claim.model
	if c.client.Format() == transform.Gemini {
		c.routing.stream = c.claim.stream
	} else {
		if model.Empty() {
			return errModelMissing
		}
		var ok bool
		if name, ok = model.Text(); !ok {
			return errModelName
		}
	}
	if !validModel(name) {
		return errModelName
	}
	c.routing.model = name
	c.record.RequestedModel, c.record.Stream = name, c.routing.stream
	return nil
}

// contentRule says in which member a request says what it asks.
type contentRule struct {
	// members are the ones of which one must be there; none: the format knows.
	members []string
	// text and object tell that it may be a string or an object beside an array.
	text, object bool
}

var (
	chatRule      = contentRule{members: []string{"messages"}}
	responsesRule = contentRule{members: []string{"input", "prompt", "previous_response_id", "conversation"}, text: true, object: true}
	geminiRule    = contentRule{members: []string{"contents", "generateContentRequest", "generate_content_request"}, text: true, object: true}
	embedRule     = contentRule{members: []string{"input"}, text: true}
	vectorRule    = contentRule{members: []string{"content", "requests"}, text: true, object: true}
	forwardRule   = contentRule{}
)

func (c *call) contentRule() *contentRule {
	isGemini := c.client.Format() == transform.Gemini
	switch {
	case c.op == opForward:
		return &forwardRule
	case c.op == opEmbeddings && isGemini:
		return &vectorRule
	case c.op == opEmbeddings:
		return &embedRule
	case isGemini:
		return &geminiRule
	case c.client.Format() == transform.Responses:
		return &responsesRule
	}
	return &chatRule
}

func (r *contentRule) in(key []byte) bool {
	for _, member := range r.members {
		if string(key) == member {
			return true
		}
	}
	return false
}

// check refuses a request without content before anyone is asked.
func (r *contentRule) check(content jsonbytes.Value) error {
	if len(r.members) == 0 {
		return nil
	}
	kind := content.Kind()
	switch {
	case content.Empty():
		return r.missing()
	case kind == jsonbytes.Array && isEmptyArray(content):
		return r.empty()
	case kind == jsonbytes.Array, kind == jsonbytes.String && r.text, kind == jsonbytes.Object && r.object:
		return nil
	}
	return r.wrongType()
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
		if r <= ' ' || r == 0x7f || strings.ContainsRune(`?#%\;"<>{}|^`+"`", r) {
			return false
		}
	}
	for segment := range strings.SplitSeq(name, "/") {
		if segment == "" || segment == "." || segment == ".." {
			return false
		}
	}
	return true
}
