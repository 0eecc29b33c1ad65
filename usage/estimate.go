package usage

// EstimateBytes guesses the tokens of so many bytes of JSON or text. Counting
// with a tokenizer costs more than the whole call; four bytes a token is what
// English and JSON average.
func EstimateBytes(n int) int64 { return int64(n+3) / 4 }

// StreamEstimate guesses the tokens of a stream from the sizes of its events,
// for streams that break off before their usage. Every event repeats the same
// skeleton; what the smallest has beyond it is about one token.
type StreamEstimate struct {
	events, bytes, smallest int
}

// Add counts an event with content, of so many bytes.
func (e *StreamEstimate) Add(n int) {
	if e.events == 0 || n < e.smallest {
		e.smallest = n
	}
	e.events++
	e.bytes += n
}

// maxSkeleton is about what an event has besides its text, in the wordiest
// format: events larger than that in all are large because of their text.
const maxSkeleton = 400

// Tokens is the guess so far.
func (e *StreamEstimate) Tokens() int64 {
	return int64(e.events) + EstimateBytes(e.bytes-e.events*min(e.smallest, maxSkeleton))
}
