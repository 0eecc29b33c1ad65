package sdk_test

import (
	_ "embed"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"sync/atomic"
)

//go:embed facts.json
var factsJSON []byte

// facts are what is said in the scenarios. The clients read the same file.
var facts = func() (f struct {
	System, Prompt, Image, Error string
	Text, Preamble               []string
	Thought, Final, Inputs       []string
	MaxTokens, RetryAfter, Count int
	Tools                        []struct {
		Name, Description, Result string
		Schema, Args              any
	}
	Schema, Object any
	Usage          counts
	Vectors        [][]float64
}) {
	if err := json.Unmarshal(factsJSON, &f); err != nil {
		panic(err)
	}
	return f
}()

// What only the provider that made it can read. None may come back changed.
const (
	thinkingSignature = "EqQBCgIYAhIkNDU2Nzg5/+AbCdEfGhIjKlMnOpQrStUvWxYz0123456789+/ab=="
	redactedThinking  = "EmwKAhgBEgy3va3pzix/LafPsn4aDFIT2Xlxh0L5L8rLVyIwxtE3rAFBa8cr3qpP+w=="
	thoughtSignature  = "CiQBVKhc7vB+/9wfdXQeCg0KC2dldF93ZWF0aGVyEhEKD2Fub3RoZXIgc2lnbg=="
	encryptedContent  = "gAAAAABo-qEE669V-_c3vkQAeRtSj9pi72OLJweRJe4IRZkLcFfnuwdxSeJM5DVDLz-_=="
)

// signatures of a dialect: what reasoning, redacted reasoning and the first call carry.
type signatures struct{ reasoning, redacted, call string }

// of are the signatures of one conversation.
func (s signatures) of(serial int) signatures {
	for _, sig := range []*string{&s.reasoning, &s.redacted, &s.call} {
		if *sig != "" {
			*sig = fmt.Sprintf("%06dAA", serial) + *sig // base64, as they are
		}
	}
	return s
}

// act checks a request against its scenario and makes the answer.
func act(a *asked, d dialect, sigs signatures) (*reply, *failure) {
	a.readSerial()
	sigs = sigs.of(a.serial)
	rp := &reply{id: fmt.Sprintf("Std%06d%d", a.serial, len(a.turns)), model: a.model, stop: "end", usage: facts.Usage, chunks: make(map[string][]string)}
	for _, chunks := range [][]string{facts.Text, facts.Preamble, facts.Thought, facts.Final} {
		rp.chunks[strings.Join(chunks, "")] = chunks
	}
	text := part{kind: "text", text: strings.Join(facts.Text, "")}
	switch a.scenario {
	case "text", "usage":
		a.opening(1)
		rp.parts = []part{text}
	case "early", "late", "cut":
		rp.parts = []part{text}
		rp.early, rp.late, rp.cut = a.scenario == "early", a.scenario == "late", a.scenario == "cut"
	case "length":
		a.opening(1)
		rp.parts, rp.stop = []part{text}, "length"
	case "tools":
		a.loop(rp, a.calls(d, 1, sigs), nil)
	case "parallel":
		before := part{kind: "text", text: strings.Join(facts.Preamble, "")}
		if _, ok := d.(cohere); ok {
			before.kind = "plan"
		}
		a.loop(rp, a.calls(d, 2, sigs), []part{before})
	case "forced":
		a.opening(1)
		a.wantForced(facts.Tools[1].Name)
		call := a.calls(d, 2, sigs)[1]
		call.sig = sigs.call
		rp.parts, rp.stop = []part{call}, "tools"
	case "schema":
		a.opening(1)
		a.wantSchema(rp, d)
	case "image":
		a.opening(2)
		if len(a.turns) == 1 && !has(a.turns[0].parts, part{kind: "image", text: facts.Image}) {
			a.fault("the image did not come as it was sent: %.200v", a.turns[0].parts)
		}
		rp.parts = []part{text}
	case "reasoning":
		a.opening(1)
		a.wantThinking()
		rp.parts = append(thoughts(sigs, false), text)
	case "thinkloop":
		a.wantThinking()
		a.loop(rp, a.calls(d, 2, sigs), thoughts(sigs, true))
	case "error-400":
		return nil, &failure{400, "invalid", facts.Error, 0}
	case "error-401":
		return nil, &failure{401, "auth", facts.Error, 0}
	case "error-429":
		return nil, &failure{429, "rate_limit", facts.Error, facts.RetryAfter}
	case "error-503":
		return nil, &failure{503, "overloaded", facts.Error, 0}
	default:
		a.fault("there is no scenario %q (model %q)", a.scenario, a.model)
	}
	if len(a.faults) > 0 {
		return nil, &failure{400, "invalid", "stand-in: " + strings.Join(a.faults, "; "), 0}
	}
	return rp, nil
}

// calls are the calls of an answer, of which the first carries the signature.
func (a *asked) calls(d dialect, n int, sigs signatures) []part {
	var calls []part
	for i, t := range facts.Tools[:n] {
		calls = append(calls, part{kind: "call", id: a.callID(d, i), name: t.Name, args: t.Args})
	}
	calls[0].sig = sigs.call
	return calls
}

// callID is the id of an answer's n-th call.
func (a *asked) callID(d dialect, n int) string {
	if d.idPrefix() == "" {
		return ""
	}
	return fmt.Sprintf("%s%06d%d", d.idPrefix(), a.serial, n)
}

var serials atomic.Int32

// readSerial finds the conversation that a request goes on with by the id or the
// signature of its first call, or begins a new one.
func (a *asked) readSerial() {
	for _, t := range a.turns {
		for _, p := range t.parts {
			switch {
			case p.kind == "call" && len(p.id) > 7:
				a.serial, _ = strconv.Atoi(p.id[len(p.id)-7 : len(p.id)-1])
				return
			case p.kind == "call" && len(p.sig) > 6:
				a.serial, _ = strconv.Atoi(p.sig[:6])
				return
			}
		}
	}
	a.serial = int(serials.Add(1))
}

func thoughts(sigs signatures, redacted bool) []part {
	parts := []part{{kind: "reasoning", text: strings.Join(facts.Thought, ""), sig: sigs.reasoning}}
	if redacted && sigs.redacted != "" {
		parts = append(parts, part{kind: "redacted", sig: sigs.redacted})
	}
	return parts
}

// opening checks the system prompt and the user's turn, which begin every scenario.
func (a *asked) opening(parts int) {
	if a.system != facts.System {
		a.fault("the system prompt is %q", a.system)
	}
	if len(a.turns) == 0 || !a.turns[0].user {
		a.fault("the conversation does not begin with the user: %+v", a.turns)
		return
	}
	if parts > 0 && len(a.turns) != 1 {
		a.fault("%d turns instead of one: %+v", len(a.turns), a.turns)
	}
	if !has(a.turns[0].parts, part{kind: "text", text: facts.Prompt}) || len(a.turns[0].parts) != max(parts, 1) {
		a.fault("the user's turn is not as sent: %+v", a.turns[0].parts)
	}
	if a.maxTokens != facts.MaxTokens {
		a.fault("max tokens is %d instead of %d", a.maxTokens, facts.MaxTokens)
	}
}

func has(parts []part, want part) bool {
	for _, p := range parts {
		if p.kind == want.kind && p.text == want.text {
			return true
		}
	}
	return false
}

func (a *asked) wantTools() {
	if len(a.tools) != len(facts.Tools) {
		a.fault("%d tools instead of %d: %+v", len(a.tools), len(facts.Tools), a.tools)
		return
	}
	for i, t := range facts.Tools {
		got := a.tools[i]
		if got.name != t.Name || got.description != t.Description {
			a.fault("tool %d is %q (%q)", i, got.name, got.description)
		}
		none := got.schema == nil && len(node{t.Schema}.at("properties").names()) == 0
		if !none && !sameSchema(got.schema, t.Schema) {
			a.fault("the schema of %s is %s", t.Name, encode(got.schema))
		}
	}
}

// wantForced checks that one tool must be called: by its name, or because there
// is no other.
func (a *asked) wantForced(name string) {
	if a.choice == "required" && len(a.tools) == 1 && a.tools[0].name == name {
		return
	}
	a.wantTools()
	if a.choice != name {
		a.fault("tool choice is %q instead of %s", a.choice, name)
	}
}

func (a *asked) wantThinking() {
	if !a.thinks {
		a.fault("the model is not asked to think, or not to show it")
	}
}

// wantSchema answers with an object: as a text if the schema came as such, or
// with a call of the one tool that stands in for it.
func (a *asked) wantSchema(rp *reply, d dialect) {
	text := encode(facts.Object)
	rp.chunks[text] = []string{text[:9], text[9:20], text[20:]}
	switch {
	case a.schema != nil:
		if !sameSchema(a.schema, facts.Schema) {
			a.fault("the output's schema is %s", encode(a.schema))
		}
		rp.parts = []part{{kind: "text", text: text}}
	case len(a.tools) == 1 && (a.choice == "required" || a.choice == a.tools[0].name):
		if !sameSchema(a.tools[0].schema, facts.Schema) {
			a.fault("the schema of the tool that stands in for the output's is %s", encode(a.tools[0].schema))
		}
		rp.stop = "tools"
		rp.parts = []part{{kind: "call", id: a.callID(d, 0), name: a.tools[0].name, args: facts.Object}}
	default:
		a.fault("the output's schema did not come")
	}
}

// loop answers the first request of a tool loop with calls, and the second,
// which must bring back what the first got and the results, with a text.
func (a *asked) loop(rp *reply, calls, before []part) {
	a.opening(0)
	a.wantTools()
	if a.choice != "" && a.choice != "auto" {
		a.fault("tool choice is %q", a.choice)
	}
	switch len(a.turns) {
	case 1:
		rp.parts, rp.stop = append(before, calls...), "tools"
	case 3:
		a.wantReturned(append(before, calls...))
		a.wantResults(calls)
		rp.parts = []part{{kind: "text", text: strings.Join(facts.Final, "")}}
	default:
		a.fault("%d turns in a tool loop: %+v", len(a.turns), a.turns)
	}
}

// wantReturned checks that an answer came back as it was made. Reasoning without
// a signature nobody needs, so it may have been left out; so may Cohere's plans,
// which are as much text as reasoning.
func (a *asked) wantReturned(want []part) {
	got := a.turns[1].parts
	at := 0
	for _, w := range want {
		if w.kind == "plan" || w.kind == "reasoning" && w.sig == "" {
			if at < len(got) && got[at].kind != "call" {
				at++
			}
			continue
		}
		if at >= len(got) {
			a.fault("the answer came back without %s %s%s", w.kind, w.name, w.sig)
			return
		}
		g := got[at]
		at++
		switch {
		case g.kind != w.kind:
			a.fault("the answer came back with %s in place of %s (%+v)", g.kind, w.kind, got)
			return
		case g.sig != w.sig:
			a.fault("the signature of %s %s came back as %q", w.kind, w.name, g.sig)
		case w.kind != "redacted" && g.text != w.text:
			a.fault("%s came back as %q", w.kind, g.text)
		case g.id != w.id, g.name != w.name, !equalJSON(g.args, w.args):
			a.fault("call %s came back as %q %s(%s)", w.id, g.id, g.name, encode(g.args))
		}
	}
	if at < len(got) {
		a.fault("the answer came back with more: %+v", got[at:])
	}
}

func (a *asked) wantResults(calls []part) {
	got := a.turns[2].parts
	if len(got) != len(calls) {
		a.fault("%d results of %d calls: %+v", len(got), len(calls), got)
		return
	}
	for i, call := range calls {
		found := false
		for at, g := range got {
			if g.kind != "result" || g.name != call.name || g.id != call.id {
				continue
			}
			found = true
			// Where nothing but the order says whose a result is, it counts.
			if call.id == "" && at != i {
				a.fault("the result of %s is number %d", call.name, at)
			}
			got, want := node{parsed(g.text)}, facts.Tools[i].Result
			if got.at("name").str() == call.name {
				got = got.at("content") // the AI SDK's way of responding to Gemini's functions
			}
			if g.text != want && !equalJSON(got.v, parsed(want)) {
				a.fault("the result of %s is %q", call.name, g.text)
			}
		}
		if !found {
			a.fault("the result of %s %q is missing: %+v", call.name, call.id, got)
		}
	}
}
