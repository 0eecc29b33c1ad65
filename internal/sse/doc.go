// Package sse reads server-sent events as bytes.
//
// A [Buffer] collects a stream as it arrives and hands out whole events, each with the very bytes it
// came in, so that a proxy can look at events and still pass the stream through untouched.
// Parsing follows the event stream format of the HTML standard (WHATWG, section 9.2).
package sse
