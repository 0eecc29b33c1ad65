package blocks

import "github.com/caddyllm/llmproxy/transform"

// MaxMarks is how many cache marks one request may have.
const MaxMarks = 4

// Mark is where a cache mark can be taken out.
type Mark = **transform.CacheMark

// Marks appends the conversation's marks in the order of the prompt.
func (c *Conversation[M]) Marks(marks []Mark) []Mark {
	marks = blockMarks(marks, c.System)
	for i := range c.Messages {
		marks = blockMarks(marks, c.Messages[i].Blocks)
	}
	return marks
}

func blockMarks[M any](marks []Mark, list []Block[M]) []Mark {
	for i := range list {
		if b := &list[i]; b.Cache != nil {
			marks = append(marks, &b.Cache)
		}
	}
	return marks
}

// DropMarks takes marks out and reports them.
func DropMarks(marks []Mark, lost *transform.Losses) {
	for _, m := range marks {
		lost.Drop((*m).At)
		*m = nil
	}
}

// LimitMarks takes out the marks that the API would refuse; so many more are set
// elsewhere. The first mark stays, because conversations share what is before
// it, and the last ones, because the next turn reads what they write. Marks of
// an hour become usual ones where there are no others (hour is false then) or
// where a usual one comes before them: the longer must come first.
func LimitMarks(marks []Mark, elsewhere int, hour bool, lost *transform.Losses) {
	if surplus := min(len(marks)+elsewhere-MaxMarks, len(marks)-1); surplus > 0 {
		DropMarks(marks[1:1+surplus], lost)
		marks = append(marks[:1], marks[1+surplus:]...)
	}
	usual := !hour
	for _, m := range marks {
		switch {
		case (*m).TTL != "1h":
			usual = true
		case usual:
			lost.Drop((*m).At.Key("ttl"))
			*m = &transform.CacheMark{}
		}
	}
}
