package testllm

import (
	"cmp"
	"net/http"
	"strings"
)

const statusOverloaded = 529 // Anthropic's own

// problem is an error with its defaults resolved for one format.
type problem struct {
	Error
	status    int
	requestID string
}

// problemTypes name errors by status, per format.
var problemTypes = map[Format]map[int]string{
	OpenAI: {
		http.StatusTooManyRequests: "rate_limit_error",
	},
	Anthropic: {
		http.StatusUnauthorized:          "authentication_error",
		http.StatusPaymentRequired:       "billing_error",
		http.StatusForbidden:             "permission_error",
		http.StatusNotFound:              "not_found_error",
		http.StatusRequestEntityTooLarge: "request_too_large",
		http.StatusTooManyRequests:       "rate_limit_error",
		http.StatusGatewayTimeout:        "timeout_error",
		http.StatusServiceUnavailable:    "overloaded_error",
		statusOverloaded:                 "overloaded_error",
	},
	Gemini: {
		http.StatusBadRequest:          "INVALID_ARGUMENT",
		http.StatusUnauthorized:        "UNAUTHENTICATED",
		http.StatusForbidden:           "PERMISSION_DENIED",
		http.StatusNotFound:            "NOT_FOUND",
		http.StatusTooManyRequests:     "RESOURCE_EXHAUSTED",
		http.StatusInternalServerError: "INTERNAL",
		http.StatusServiceUnavailable:  "UNAVAILABLE",
		http.StatusGatewayTimeout:      "DEADLINE_EXCEEDED",
	},
}

var problemCodes = map[int]string{
	http.StatusUnauthorized:    "invalid_api_key",
	http.StatusNotFound:        "model_not_found",
	http.StatusTooManyRequests: "rate_limit_exceeded",
}

func newProblem(said Error, status int, format Format, requestID string) problem {
	if format == "" || format == Responses {
		format = OpenAI
	}
	p := problem{Error: said, status: status, requestID: requestID}
	p.Message = cmp.Or(said.Message, strings.ToLower(http.StatusText(status)), "overloaded")
	p.Type = cmp.Or(said.Type, problemTypes[format][status], fallbackType(format, status))
	if said.Type == "" && said.Code == "" && format == OpenAI {
		p.Code = problemCodes[status]
	}
	return p
}

// streamProblem is an error told after the 200: Gemini's numeric code follows
// from the type, if that is known.
func streamProblem(said Error, format Format, requestID string) problem {
	status := http.StatusServiceUnavailable
	for code, name := range problemTypes[format] {
		if name == said.Type {
			status = code
		}
	}
	said.Message = cmp.Or(said.Message, "overloaded")
	return newProblem(said, status, format, requestID)
}

func fallbackType(format Format, status int) string {
	ours := status >= http.StatusInternalServerError
	switch {
	case format == Gemini && ours:
		return "INTERNAL"
	case format == Gemini:
		return "FAILED_PRECONDITION"
	case format == Anthropic && ours:
		return "api_error"
	case ours:
		return "server_error"
	}
	return "invalid_request_error"
}
