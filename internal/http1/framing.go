package http1

import (
	"net/http"
	"strconv"
	"strings"

	"golang.org/x/net/http/httpguts"
)

// frame finds how long the body is (RFC 9112, 6.3), and whether the connection
// ends with it.
func frame(r *http.Response) (framing, error) {
	h := r.Header
	r.Close = asksToClose(r)
	chunked, err := isChunked(r)
	if err != nil {
		return framing{}, err
	}
	length, err := lengthOf(h)
	if err != nil {
		return framing{}, err
	}
	switch {
	case r.StatusCode < 200, r.StatusCode == http.StatusNoContent, r.StatusCode == http.StatusNotModified:
		// A body that comes nevertheless ends the connection.
		return framing{}, nil
	case chunked:
		if length >= 0 { // which somebody on the way may have believed
			r.Close = true
			delete(h, "Content-Length")
		}
		r.ContentLength = -1
		return framing{chunked: true}, nil
	case length == 0:
		return framing{}, nil
	case length > 0:
		r.ContentLength = length
		return framing{counted: true}, nil
	}
	r.ContentLength, r.Close = -1, true
	return framing{untilEnd: true}, nil
}

func asksToClose(r *http.Response) bool {
	values := r.Header["Connection"]
	if r.ProtoMinor == 0 {
		return httpguts.HeaderValuesContainsToken(values, "close") || !httpguts.HeaderValuesContainsToken(values, "keep-alive")
	}
	if len(values) == 0 || !httpguts.HeaderValuesContainsToken(values, "close") {
		return false
	}
	delete(r.Header, "Connection")
	return true
}

// isChunked reads the transfer encoding: chunked, once, or none.
func isChunked(r *http.Response) (bool, error) {
	encodings, ok := r.Header["Transfer-Encoding"]
	if !ok {
		return false, nil
	}
	delete(r.Header, "Transfer-Encoding")
	if r.ProtoMinor == 0 { // which has none: the framing is in doubt (RFC 9112, 6.1)
		r.Close = true
		return false, nil
	}
	if len(encodings) != 1 || !strings.EqualFold(encodings[0], "chunked") {
		return false, errTransfer
	}
	return true, nil
}

// lengthOf is what the header says, -1 if it says nothing. One that is repeated
// must be the same.
func lengthOf(h http.Header) (int64, error) {
	values := h["Content-Length"]
	if len(values) == 0 {
		return -1, nil
	}
	for _, other := range values[1:] {
		if other != values[0] {
			return 0, errFieldLength
		}
	}
	if len(values) > 1 {
		h["Content-Length"] = values[:1:1]
	}
	n, err := strconv.ParseUint(values[0], 10, 63)
	if err != nil {
		return 0, errLengthValue
	}
	return int64(n), nil //nolint:gosec // of 63 bits
}
