package gateway

import (
	"bytes"
	"context"
	"encoding/hex"
	"errors"
	"net/http"
	"slices"
	"strconv"
	"time"

	"github.com/caddyllm/llmproxy/cache/answers"
	"github.com/caddyllm/llmproxy/routing"
	"github.com/caddyllm/llmproxy/transform"
	"github.com/caddyllm/llmproxy/usage"
)

// Cache is where whole answers are kept, and the rules for that. Store and flights
// outlive the config.
type Cache struct {
	Store   answers.Store
	Flights *answers.Flights
	Rules   answers.Rules
	// Realm tells sets of keys apart whose ids may be the same.
	Realm string
}

// rulesOf are the rules for a request of the route.
func (k *Cache) rulesOf(route *routing.Route) answers.Rules {
	rules := k.Rules
	if route != nil && route.CacheTTL != 0 {
		rules.TTL = route.CacheTTL
	}
	return rules
}

// caching is what a call has to do with the cache. Its methods may be called on nil.
type caching struct {
	rules   answers.Rules
	facts   answers.Facts
	control answers.Control
	key     answers.Key
	scope   string
	manner  answers.Manner
	forward answers.Forward
	// spare is an answer for the case that no target gives one.
	spare *answers.Entry
	// flight is what others follow of the call; nil: it goes alone.
	flight *answers.Flight

	// What is known of the answer that the call made.

	upstream    http.Header
	content     bool
	finish      transform.Finish
	contentType string
	entry       *answers.Entry
	storable    bool
}

// errNotCached is RFC 9111's answer to only-if-cached, 5.2.1.7.
var errNotCached = &transform.Error{
	Kind: transform.ErrTimeout, Status: http.StatusGatewayTimeout, Code: "not_cached", NoRetry: true,
	Message: "There is no stored answer, and the request's Cache-Control (only-if-cached) wants no other.",
}

// fromCache looks for a stored answer and serves it. If there is none the call has
// what it takes to store one.
func (c *call) fromCache() (served bool, err error) {
	status, found, on := c.lookUp()
	if !on {
		return false, nil
	}
	now := time.Now()
	c.record.Cache, c.record.CacheReason = status.Word(), status.Detail.String()
	if found != nil {
		if served, err := c.serveCounted(found, status, now); served || err != nil {
			return served, err
		}
		// It cannot be read.
		status = answers.Status{Forward: answers.ForwardMiss}
	}
	status.SetHeader(c.w.Header(), nil, now)
	control := c.g.Cache.Rules.Control(c.r.Header["Cache-Control"])
	if control.OnlyIfCached && status.Detail != answers.Off {
		return false, errNotCached
	}
	return false, nil
}

// lookUp finds what the cache has for the request. on tells that there is a cache.
func (c *call) lookUp() (status answers.Status, found *answers.Entry, on bool) {
	cache := c.g.Cache
	if cache == nil {
		return status, nil, false
	}
	rules, facts := cache.rulesOf(c.plan.Route), c.facts()
	if reason := rules.Cacheable(facts); reason != answers.Admitted {
		return answers.Status{Forward: answers.ForwardBypass, Detail: reason}, nil, true
	}
	control := rules.Control(c.r.Header["Cache-Control"])
	if control.NoStore {
		return answers.Status{Forward: answers.ForwardRequest, Detail: answers.ClientNoStore}, nil, true
	}
	k := &caching{rules: rules, facts: facts, control: control, manner: c.manner()}
	k.key, k.scope = c.question(&rules)
	now := time.Now()
	l := answers.Look(c.r.Context(), cache.Store, k.key, &control, now)
	c.cache, k.spare, k.forward = k, l.Spare, l.Forward
	if l.Entry != nil {
		return answers.HitStatus(l.Entry, now), l.Entry, true
	}
	return answers.Status{Forward: l.Forward}, nil, true
}

func (c *call) facts() answers.Facts {
	op := answers.OtherOperation
	switch {
	case c.form != nil:
	case c.op == opEmbeddings:
		op = answers.Embeddings
	case c.op == opChat && c.codec() != nil, c.op == opForward && c.path == completionsPath:
		op = answers.Chat
	}
	return answers.Examine(op, c.client.Format(), c.body.bytes, c.routing.members)
}

// codec reads again what clients of the format get; nil: nobody can.
func (c *call) codec() answers.Codec {
	codec, _ := c.client.(answers.Codec)
	return codec
}

// manner is how the client wants the answer.
func (c *call) manner() answers.Manner {
	usage := c.routing.includeUsage && c.client.Format() == transform.OpenAIChat
	return answers.MannerOf(c.routing.stream, usage, isArray(c.client))
}

// question is the key of what is asked, and whose it is.
func (c *call) question(rules *answers.Rules) (answers.Key, string) {
	id := c.principal.ID
	if c.principal.Anonymous {
		id = ""
	}
	scope := rules.Scope.Of(id, c.principal.Group)
	q := answers.Question{
		Scope: c.g.Cache.Realm + scope, Format: c.client.Format(), Operation: c.operationName(), Model: c.routing.model,
		Targets: c.g.Routes.Identity(c.plan), Header: c.r.Header, Body: c.body.bytes,
	}
	if c.op == opForward { // nobody writes such an answer in another manner
		q.Operation += " " + strconv.Itoa(int(c.manner()))
	}
	if c.plan.Route != nil {
		q.Targets = c.without(q.Targets, c.plan.Route.Leads())
	}
	return q.Key(), scope
}

// without leaves fallbacks out that are not for the caller: their answers must not
// reach it by way of others.
func (c *call) without(targets [32]byte, leads []string) [32]byte {
	var barred []string
	for _, name := range leads {
		if !c.principal.MayUse(name) {
			barred = append(barred, name)
		}
	}
	if barred == nil {
		return targets
	}
	return answers.Hash(append(barred, hex.EncodeToString(targets[:]))...)
}

// serveCounted serves an entry, and counts that against limits of requests alone. It
// is false, and nothing has happened, if the entry cannot be brought into the
// client's manner.
func (c *call) serveCounted(e *answers.Entry, status answers.Status, now time.Time) (bool, error) {
	body, err := c.inManner(e)
	if err != nil {
		return false, nil //nolint:nilerr // another answer can be had
	}
	if err := c.reserveRequest(); err != nil {
		return false, err
	}
	c.serveEntry(e, body, status, now)
	return true, nil
}

// serveEntry answers with what is stored, or another call has made.
func (c *call) serveEntry(e *answers.Entry, body []byte, status answers.Status, now time.Time) {
	c.isServed(status)
	c.tell(func(h http.Header) { status.SetHeader(h, e, now) })
	c.record.Provider, c.record.Model, c.record.Finish = e.Provider, e.Model, e.Finish.String()
	c.record.Tokens, c.record.Dropped = e.Served(), e.Dropped
	contentType := headerJSON
	switch {
	case e.Manner == c.cache.manner && e.ContentType != "":
		contentType = []string{e.ContentType}
	case c.cache.manner == answers.Stream || c.cache.manner == answers.StreamWithUsage:
		contentType = headerStreamUTF8
	}
	c.record.Ending = usage.Complete
	if c.cache.manner != answers.Whole {
		c.openReplay(contentType)
		c.endStream(body, nil)
		return
	}
	h := c.w.Header()
	h["Content-Type"], h["Content-Length"] = contentType, []string{strconv.Itoa(len(body))}
	c.answerHeader()
	if c.g.CostHeader {
		c.tellCost(&c.record.Tokens)
	}
	c.committed, c.record.Status = true, http.StatusOK
	c.record.FirstToken = sinceStart(&c.record)
	c.w.WriteHeader(http.StatusOK)
	if c.write(body) != nil {
		c.noteGone()
	}
}

// isServed notes that no provider is asked for the answer.
func (c *call) isServed(status answers.Status) {
	c.hit = true
	c.record.Cache, c.record.CacheReason = status.Word(), ""
}

// inManner is the entry's answer as the client wants it.
func (c *call) inManner(e *answers.Entry) ([]byte, error) {
	return e.In(c.cache.manner, func(e *answers.Entry, to answers.Manner) ([]byte, error) {
		codec := c.codec()
		if codec == nil || c.op != opChat {
			return nil, errInternal
		}
		var chat *transform.Request
		if c.decode() == nil {
			chat = c.decoded.chat
		}
		return answers.Converter(codec, chat)(e, to)
	})
}

// openReplay opens a stream whose events are there already, or come of another call.
func (c *call) openReplay(contentType []string) {
	c.opening.Lock()
	defer c.opening.Unlock()
	c.stopEarly()
	if c.writer == nil {
		c.answerHeader()
		c.sendStreamHeader(contentType, c.plan.Label)
	}
	c.committed, c.record.Status = true, http.StatusOK
	c.record.FirstToken = sinceStart(&c.record)
}

// orStale serves an answer that is too old if no target gives another.
func (c *call) orStale(err error) error {
	k := c.cache
	if err == nil || k == nil || k.spare == nil || c.committed || c.gone() || !isOutage(err) {
		return err
	}
	body, unreadable := c.inManner(k.spare)
	if unreadable != nil {
		return err
	}
	now := time.Now()
	k.flight.Land(k.spare)
	c.serveEntry(k.spare, body, answers.HitStatus(k.spare, now), now)
	return nil
}

// isOutage tells errors that lie in the targets, not in the request.
func isOutage(err error) bool {
	var e *transform.Error
	if !errors.As(err, &e) || e == errStopping { //nolint:errorlint // a sentinel of this package
		return false
	}
	status := e.HTTPStatus()
	return status >= 500 || status == http.StatusTooManyRequests || e.Kind == transform.ErrRateLimit
}

// answering keeps what the provider says of its answer before that comes.
func (k *caching) answering(h http.Header) {
	if k != nil {
		k.upstream = h
	}
}

func (k *caching) note(s transform.Summary) {
	if k != nil {
		k.content, k.finish = s.Content, s.Finish
	}
}

// opened tells those who follow that a stream begins.
func (c *call) opened(contentType []string) {
	k := c.cache
	if k == nil {
		return
	}
	k.contentType = contentType[0]
	k.flight.Open(answers.Head{Manner: k.manner, ContentType: k.contentType, Provider: c.record.Provider, Model: c.record.Model})
}

// append lets those who follow have events of the stream.
func (k *caching) append(events []byte) {
	if k != nil {
		k.flight.Append(events)
	}
}

// landWhole lets those who follow have a whole answer, before the call's own client
// takes its time to read it.
func (c *call) landWhole(body []byte, contentType []string) {
	if k := c.cache; k != nil && k.flight != nil {
		k.contentType = contentType[0]
		c.makeEntry(bytes.Clone(body)) // whose memory may be from a pool
	}
}

// makeEntry makes the entry of an answer that is whole, and lands the flight.
func (c *call) makeEntry(body []byte) {
	k := c.cache
	// What is passed on without being understood says something if it has tokens.
	content := k.content || c.op == opForward && c.record.Tokens.Output > 0
	made := answers.Answer{
		Status: c.record.Status, Whole: true, Content: content, Finish: k.finish, Usage: c.record.Tokens.Clamp(),
		Body: body, Upstream: k.upstream,
	}
	ttl, reason := k.rules.Admit(k.facts, k.control, &made)
	k.entry = &answers.Entry{
		Key: k.key, Scope: k.scope, Format: c.client.Format(), Manner: k.manner, ContentType: k.contentType,
		Route: c.routing.model, Provider: c.record.Provider, Model: c.record.Model, Finish: k.finish, Usage: made.Usage,
		Created: time.Now(), TTL: ttl, Stale: k.rules.StaleIfError, Dropped: slices.Clone(c.record.Dropped), Body: body,
	}
	k.storable = reason == answers.Admitted
	c.record.CacheReason = reason.String()
	k.flight.Land(k.entry)
}

// land ends what others follow, and stores the answer. It runs deferred, before the
// stream is closed, also after a panic.
func (c *call) land() {
	k := c.cache
	if k == nil {
		return
	}
	defer k.flight.Close() // last: who comes later finds the answer in the store
	if k.entry == nil && c.whole && c.committed && k.manner != answers.Whole {
		if body, ok := k.flight.Body(); ok {
			c.makeEntry(body)
		} else {
			k.flight.Land(nil)
		}
	}
	if k.entry != nil && k.storable {
		// The client may be gone by now.
		c.g.Cache.Store.Put(context.WithoutCancel(c.r.Context()), k.entry)
	}
}

// failed ends what others follow with an error that they would meet too.
func (k *caching) failed(err error) {
	if k == nil {
		return
	}
	var e *transform.Error
	if errors.As(err, &e) && answers.Shareable(e.HTTPStatus()) {
		k.flight.Fail(err)
	}
}
