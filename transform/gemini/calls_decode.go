package gemini

import (
	"strconv"

	"github.com/caddyllm/llmproxy/internal/jsonbytes"
	"github.com/caddyllm/llmproxy/transform"
)

// batch is the calls that the model made at once and that wait for results. It
// finds them by id, else by name in their order: ids are optional.
type batch struct {
	calls  []waiting
	byID   map[string][]int
	byName map[string][]int
}

type waiting struct {
	id, name string
	answered bool
}

func (b *batch) add(id, name string) {
	if b.byID == nil {
		b.byID, b.byName = make(map[string][]int), make(map[string][]int)
	}
	n := len(b.calls)
	b.calls = append(b.calls, waiting{id: id, name: name})
	b.byID[id] = append(b.byID[id], n)
	b.byName[name] = append(b.byName[name], n)
}

// take is the call that a result answers, nil if there is none.
func (b *batch) take(id, name string) *waiting {
	if _, known := b.byID[id]; known && id != "" {
		return b.first(b.byID, id) // sent again, it is not another call's
	}
	return b.first(b.byName, name)
}

// first is the first call of a queue that has no result yet.
func (b *batch) first(queues map[string][]int, key string) *waiting {
	queue := queues[key]
	for len(queue) > 0 {
		call := &b.calls[queue[0]]
		queue = queue[1:]
		if !call.answered {
			call.answered = true
			queues[key] = queue
			return call
		}
	}
	if queues != nil {
		queues[key] = queue
	}
	return nil
}

// functionCall reads {id, name, args}. A call without an id gets one by its
// place, so that a prompt stays the same from request to request.
func (s *speech) functionCall(call *transform.ToolCall, from *field) error {
	err := members(from.value, &from.at, func(f *field) (err error) {
		switch f.name {
		case "id":
			call.ID, err = f.text()
		case "name":
			call.Name, err = f.text()
		case "args":
			if f.value.Kind() != jsonbytes.Object {
				return wrongType(f.at, "an object")
			}
			call.Arguments = jsonbytes.AppendCompact(nil, f.value)
		default:
			s.lost.Drop(f.at)
		}
		return err
	})
	if err != nil {
		return err
	}
	if call.Name == "" {
		return missing(from.at.Key("name"))
	}
	if call.ID == "" {
		call.ID = s.inventedID(s.calls)
	}
	s.calls++
	s.batch.add(call.ID, call.Name)
	return nil
}

func (s *speech) inventedID(i int) string {
	return "call_" + strconv.Itoa(s.number) + "_" + strconv.Itoa(i)
}

// functionResponse reads {id, name, response, parts} as a turn of its own.
func (s *speech) functionResponse(from *field) error {
	turn := transform.Turn{Role: transform.RoleTool, At: from.at, CallAt: from.at}
	var media []transform.Part
	err := members(from.value, &from.at, func(f *field) (err error) {
		switch f.name {
		case "id":
			turn.CallAt = f.at
			turn.CallID, err = f.text()
		case "name":
			if turn.CallID == "" {
				turn.CallAt = f.at
			}
			turn.ToolName, err = f.text()
		case "response":
			err = s.response(&turn, f)
		case "parts":
			err = f.each(func(_ int, v jsonbytes.Value, at *transform.Path) error {
				part, ok, err := s.resultPart(v, at)
				if ok && err == nil {
					media = append(media, part)
				}
				return err
			})
		default:
			s.lost.Drop(f.at)
		}
		return err
	})
	if err != nil {
		return err
	}
	turn.Parts = append(turn.Parts, media...)
	if len(turn.Parts) == 0 {
		turn.Parts = []transform.Part{{Kind: transform.PartText, Text: transform.Literal(`""`), At: from.at}}
	}
	if call := s.batch.take(turn.CallID, turn.ToolName); call != nil {
		turn.CallID, turn.ToolName = call.id, call.name
	} else if turn.CallID == "" {
		turn.CallID = s.inventedID(len(s.results)) // of no call that we were shown
	}
	s.results = append(s.results, turn)
	return nil
}

// resultPart reads what a result shows beside its text: images and files.
func (s *speech) resultPart(v jsonbytes.Value, at *transform.Path) (out transform.Part, ok bool, err error) {
	p, err := s.readPart(v, at)
	if err != nil {
		return out, false, err
	}
	out.At = *at
	switch p.data.name {
	case "inlineData", "fileData":
		return out, true, s.media(&out, &p)
	case "text":
		out.Kind, out.Text = transform.PartText, p.data.value
		return out, true, nil
	}
	if v.Len() > 0 {
		s.lost.Refuse(*at)
	}
	return out, false, nil
}

// response reads what a tool said, an object. Alone in it, output and error
// say which of both the result is; any other object is the output itself.
// https://ai.google.dev/api/caching#FunctionResponse
func (s *speech) response(turn *transform.Turn, f *field) error {
	if f.value.Kind() != jsonbytes.Object {
		return wrongType(f.at, "an object")
	}
	if err := unique(f.value, &f.at); err != nil {
		return err
	}
	said := f.value
	failure := said.Get("error")
	turn.IsError = !failure.Empty() && !failure.Is("") && string(failure) != "false"
	filled := 0
	for _, value := range said.Members() {
		if !value.IsNull() {
			filled++
		}
	}
	if output := said.Get("output"); filled == 1 && turn.IsError {
		said = failure
	} else if filled == 1 && !output.Empty() {
		said = output
	}
	if said.Kind() != jsonbytes.String {
		said = jsonbytes.AppendBytes(nil, jsonbytes.AppendCompact(nil, said))
	}
	turn.Parts = append(turn.Parts, transform.Part{Kind: transform.PartText, Text: said, At: f.at})
	return nil
}
