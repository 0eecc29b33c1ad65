package testllm

import (
	"bytes"
	"cmp"
	"fmt"
	"maps"
	"net/http"
	"strconv"
)

// plan is a response down to its writes, faults included.
type plan struct {
	status int
	header http.Header
	writes []event
	stall  int  // stall before this write; -1: never
	early  bool // headers go out ahead of the first write
	ending Cut  // 0: end as HTTP should

	usage   Usage // billed: zero for errors
	content int   // pieces of content in the whole answer; 0: bill all at once
}

// newPlan renders a reply, then applies its faults.
func newPlan(r Reply, q request, index int, models []string) plan {
	r = admissible(r, q)
	d := dialectOf(q.format)
	requestID := fmt.Sprintf("req_%d", index+1)
	p := plan{status: cmp.Or(r.Status, http.StatusOK), header: http.Header{}, stall: -1}
	p.header.Set(d.requestIDHeader(), requestID)
	contentType, streamed := d.jsonType(), false
	switch {
	case r.RawEvents != nil:
		contentType, streamed = "text/event-stream", true
		for _, data := range r.RawEvents {
			p.writes = append(p.writes, event{data: []byte(data), content: 1})
		}
	case r.Body != nil:
		p.writes = []event{{data: r.Body}}
	case r.Status >= http.StatusBadRequest:
		body := encode(d.problem(newProblem(r.Error, r.Status, q.format, requestID)))
		if q.array {
			body = fmt.Appendf(nil, "[%s]\n", body)
		}
		p.writes = []event{{data: body}}
	case q.stream:
		contentType, streamed = d.streamType(), true
		if q.array {
			contentType = d.jsonType()
		}
		p.writes = d.stream(resolve(r, q, index))
	default:
		p.writes = []event{{data: encode(whole(d, r, q, index, models))}}
	}
	if p.bills(r, q) {
		p.usage = billable(r, q)
	}
	p.content = count(p.writes)
	if streamed && r.RawEvents == nil {
		p.writes = frame(d, q, interrupt(p.writes, r, d, q, requestID))
	}
	p.setHeader(r, contentType, streamed)
	p.misbehave(r)
	p.early = streamed || p.stall == 0
	return p
}

// admissible turns a reply that a provider could not give into the error or
// the empty body that it would.
func admissible(r Reply, q request) Reply {
	switch {
	case r.raw() || r.Status >= http.StatusBadRequest:
	case r.Status >= http.StatusMultipleChoices || r.Status == http.StatusNoContent:
		r.Body = []byte{}
	case q.operation == "":
		r.Status, r.Error = http.StatusNotFound, Error{Message: "no such path"}
	case q.malformed:
		r.Status, r.Error = http.StatusBadRequest, Error{Message: "the body is not valid json"}
	}
	return r
}

func whole(d dialect, r Reply, q request, index int, models []string) object {
	switch q.operation {
	case Models:
		return d.models(models)
	case Embeddings:
		return d.embeddings(resolve(r, q, index))
	}
	return d.answer(resolve(r, q, index))
}

// bills tells whether the answer costs anything: errors, told by status or by
// the first event of a stream, and model lists do not.
func (p plan) bills(r Reply, q request) bool {
	failed := p.status >= http.StatusMultipleChoices || (q.stream && !r.raw() && r.ErrorAfter == AtOnce)
	return !failed && q.operation != Models
}

func count(events []event) int {
	total := 0
	for _, e := range events {
		total += e.content
	}
	return total
}

// interrupt replaces what follows the first ErrorAfter content events.
func interrupt(events []event, r Reply, d dialect, q request, requestID string) []event {
	if r.ErrorAfter == 0 {
		return events
	}
	keep, wanted := 0, min(max(r.ErrorAfter, 0), count(events))
	for seen := 0; seen < wanted; keep++ {
		seen += events[keep].content
	}
	failure := d.errorEvent(streamProblem(r.Error, q.format, requestID))
	return append(events[:keep:keep], failure)
}

// frame gives the events their bytes on the wire.
func frame(d dialect, q request, events []event) []event {
	for i := range events {
		if !q.array {
			events[i].data = d.frame(events[i])
			continue
		}
		opening, closing := ",\r\n", ""
		if i == 0 {
			opening = "["
		}
		if i == len(events)-1 {
			closing = "\n]\n"
		}
		events[i].data = fmt.Appendf(nil, "%s%s%s", opening, events[i].data, closing)
	}
	return events
}

func (p *plan) setHeader(r Reply, contentType string, streamed bool) {
	p.header.Set("Content-Type", cmp.Or(r.ContentType, contentType))
	if streamed {
		p.header.Set("Cache-Control", "no-cache")
	} else if p.status != http.StatusNoContent && p.status != http.StatusNotModified {
		length := len(p.writes[0].data)
		if r.CutBytes > 0 {
			length = max(length, r.CutBytes+1)
		}
		p.header.Set("Content-Length", strconv.Itoa(length))
	}
	maps.Copy(p.header, r.Header)
}

// misbehave applies the faults that do not care what the events mean.
func (p *plan) misbehave(r Reply) {
	if r.CutAfter != 0 {
		p.writes = p.writes[:min(max(r.CutAfter, 0), len(p.writes))]
	}
	if r.StallAfter != 0 {
		p.stall = min(max(r.StallAfter, 0), len(p.writes))
	}
	if r.CutBytes > 0 {
		p.truncate(r.CutBytes)
	}
	if r.CutAfter != 0 || r.CutBytes > 0 || r.Cut != 0 {
		p.ending = cmp.Or(r.Cut, FIN)
	}
	if r.WritesOf > 0 {
		p.reslice(r.WritesOf)
	}
}

func (p *plan) truncate(length int) {
	for i, e := range p.writes {
		if len(e.data) > length {
			p.writes = append(p.writes[:i:i], event{data: e.data[:length]})
			break
		}
		length -= len(e.data)
	}
	p.stall = min(p.stall, len(p.writes))
}

func (p *plan) reslice(size int) {
	if p.stall < 0 {
		p.writes = sliced(p.writes, size)
		return
	}
	before := sliced(p.writes[:p.stall], size)
	p.writes, p.stall = append(before, sliced(p.writes[p.stall:], size)...), len(before)
}

// sliced cuts the joined events into writes of a size. A piece of content
// counts in the write that completes it.
func sliced(events []event, size int) []event {
	var joined bytes.Buffer
	ends := make(map[int]int) // content by the write that completes it
	for _, e := range events {
		joined.Write(e.data)
		ends[max(0, joined.Len()-1)/size] += e.content
	}
	var writes []event
	for rest := joined.Bytes(); len(rest) > 0; {
		n := min(size, len(rest))
		writes = append(writes, event{data: rest[:n], content: ends[len(writes)]})
		rest = rest[n:]
	}
	return writes
}
