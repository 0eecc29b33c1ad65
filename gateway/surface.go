package gateway

import (
	"net/http"
	"strings"
)

// Surface says which paths are claimed. The zero value claims none.
type Surface struct {
	OpenAI bool
	Health bool
}

// operation is what a request asks for.
type operation uint8

const (
	opNone operation = iota // not ours
	opChat
	opEmbeddings
	opListModels
	opGetModel
	opLive
	opReady
	opPreflight
	opNotFound  // below a prefix that is ours alone
	opBadMethod // ours, but not with this method
)

var operationNames = [...]string{opChat: "chat", opEmbeddings: "embeddings", opListModels: "models", opGetModel: "models"}

func (op operation) String() string {
	if int(op) < len(operationNames) {
		return operationNames[op]
	}
	return ""
}

// openAIPrefix is where the OpenAI format lives beside its usual paths: below
// it everything is ours.
const openAIPrefix = "/openai"

// match says what a request asks for, and of which model where the path says.
// Only exact paths count: no case folding, no doubled slashes, no dots.
func (s Surface) match(method, path string) (op operation, model string) {
	if s.Health {
		switch path {
		case "/health/live":
			return allow(opLive, method, http.MethodGet), ""
		case "/health/ready":
			return allow(opReady, method, http.MethodGet), ""
		}
	}
	if !s.OpenAI {
		return opNone, ""
	}
	if rest, ok := strings.CutPrefix(path, openAIPrefix); ok && (rest == "" || rest[0] == '/') {
		if op, model = openAI(method, rest); op == opNone {
			op, model = openAI(method, "/v1"+rest)
		}
		if op == opNone {
			op = opNotFound
		}
		return op, model
	}
	if path == "/chat/completions" {
		path = "/v1/chat/completions"
	}
	return openAI(method, path)
}

func openAI(method, path string) (operation, string) {
	switch path {
	case "/v1/chat/completions":
		return allow(opChat, method, http.MethodPost), ""
	case "/v1/embeddings":
		return allow(opEmbeddings, method, http.MethodPost), ""
	case "/v1/models":
		return allow(opListModels, method, http.MethodGet), ""
	}
	if model, ok := strings.CutPrefix(path, "/v1/models/"); ok && model != "" {
		return allow(opGetModel, method, http.MethodGet), model
	}
	return opNone, ""
}

func allow(op operation, method, allowed string) operation {
	switch {
	case method == allowed, method == http.MethodHead && allowed == http.MethodGet:
		return op
	case method == http.MethodOptions:
		return opPreflight
	}
	return opBadMethod
}

// methods lists what a claimed path takes.
func (s Surface) methods(path string) string {
	if op, _ := s.match(http.MethodGet, path); op == opBadMethod {
		return "POST, OPTIONS"
	}
	return "GET, HEAD, OPTIONS"
}
