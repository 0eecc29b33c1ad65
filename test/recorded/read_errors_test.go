package recorded_test

import (
	"fmt"
	"regexp"
	"slices"
)

// errorMessage is what a body of any vendor says went wrong.
func errorMessage(body node) string {
	for _, path := range [][]any{{"error", "message"}, {"message"}, {"error"}, {"detail"}, {"response", "error", "message"}} {
		if message := body.get(path...); message.isText() {
			return message.text()
		}
	}
	return body.String()
}

// class is what an HTTP status says is wrong.
func class(status int) string {
	switch status {
	case 401:
		return "authentication"
	case 402:
		return "billing"
	case 403:
		return "permission"
	case 404:
		return "not found"
	case 408, 504:
		return "timeout"
	case 409:
		return "conflict"
	case 413:
		return "too large"
	case 429:
		return "rate limit"
	case 503, 529:
		return "overloaded"
	}
	if status >= 500 {
		return "server"
	}
	return "invalid"
}

// The words that clients of a format know for a class.
var (
	messagesWords = map[string][]string{
		"invalid": {"invalid_request_error"}, "authentication": {"authentication_error"}, "billing": {"billing_error"},
		"permission": {"permission_error"}, "not found": {"not_found_error"}, "timeout": {"timeout_error"},
		"conflict": {"conflict_error", "invalid_request_error"}, "too large": {"request_too_large", "invalid_request_error"},
		"rate limit": {"rate_limit_error"}, "server": {"api_error"}, "overloaded": {"overloaded_error", "api_error"},
	}
	geminiWords = map[string][]string{
		"invalid": {"INVALID_ARGUMENT", "FAILED_PRECONDITION", "OUT_OF_RANGE"}, "authentication": {"UNAUTHENTICATED"},
		"billing": {"FAILED_PRECONDITION", "RESOURCE_EXHAUSTED"}, "permission": {"PERMISSION_DENIED"}, "not found": {"NOT_FOUND"},
		"timeout": {"DEADLINE_EXCEEDED"}, "conflict": {"ABORTED", "ALREADY_EXISTS"}, "too large": {"INVALID_ARGUMENT"},
		"rate limit": {"RESOURCE_EXHAUSTED"}, "server": {"INTERNAL", "UNKNOWN", "UNAVAILABLE"}, "overloaded": {"UNAVAILABLE"},
	}
	// OpenAI's type says little: it must only not be one of another class.
	openAIWrong = map[string]*regexp.Regexp{
		"invalid": regexp.MustCompile(`server_error|rate_limit|authentication`), "authentication": regexp.MustCompile(`server_error|rate_limit`),
		"permission": regexp.MustCompile(`server_error|rate_limit`), "not found": regexp.MustCompile(`server_error|rate_limit`),
		"rate limit": regexp.MustCompile(`^(invalid_request_error|server_error|authentication_error)$`),
		"server":     regexp.MustCompile(`invalid_request|authentication|rate_limit`), "overloaded": regexp.MustCompile(`invalid_request|authentication`),
	}
)

// wrongError says why clients of a format cannot read an error's body, or read
// something else from it than its status says.
func wrongError(dialect string, status int, body node) string {
	e := body.get("error")
	if !e.isObject() {
		return "no error object"
	}
	if e.get("message").text() == "" {
		return "no message"
	}
	want := class(status)
	switch dialect {
	case "messages":
		if body.get("type").text() != "error" {
			return `type is not "error"`
		}
		if kind := e.get("type").text(); !slices.Contains(messagesWords[want], kind) {
			return fmt.Sprintf("type %s for %d", kind, status)
		}
	case "gemini":
		if code := e.get("code").count(); int(code) != status {
			return fmt.Sprintf("code %d for %d", code, status)
		}
		if word := e.get("status").text(); !slices.Contains(geminiWords[want], word) {
			return fmt.Sprintf("status %s for %d", word, status)
		}
	default:
		if wrong := openAIWrong[want]; wrong != nil && wrong.MatchString(e.get("type").text()) {
			return fmt.Sprintf("type %s for %d", e.get("type").text(), status)
		}
	}
	return ""
}

// readError reads an answer with a status of failure.
func readError(dialect string, status int, body []byte) norm {
	f := &fault{status: status, ofContent: aboutContent.Match(body)}
	n, err := parse(body)
	if err != nil {
		f.message, f.wrong = string(body), "no JSON"
		return norm{fault: f}
	}
	if n.isList() { // Vertex answers a stream with a list
		n = n.get(0)
	}
	f.message = errorMessage(n)
	f.wrong = wrongError(dialect, status, n)
	return norm{fault: f}
}
