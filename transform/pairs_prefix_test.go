package transform_test

import (
	"bytes"
	"testing"

	"github.com/caddyllm/llmproxy/internal/jsonbytes"
	"github.com/caddyllm/llmproxy/transform"
)

// A conversation that grows is translated to one that grows: providers find
// what they have cached by its bytes.
func TestPairsOfGrowingConversationsKeepTheirPrefix(t *testing.T) {
	whole := conversation(23)
	eachPair(t, func(t *testing.T, c *client, p *provider) {
		var before, around []byte
		for n := 1; n <= len(whole); n++ {
			if whole[n-1].kind == "model" {
				continue // nobody asks after what the model said
			}
			var lost transform.Losses
			r, err := c.codec.DecodeRequest(c.ask(whole[:n]), &lost)
			if err != nil {
				t.Fatal(err)
			}
			body, err := p.codec.AppendRequest(nil, r, p.to, &lost)
			if err != nil {
				t.Fatal(err)
			}
			list := jsonbytes.Parse(body).Get(p.list)
			if list.Kind() != jsonbytes.Array {
				t.Fatalf("no %s: %s", p.list, body)
			}
			messages := list[:len(list)-1]
			rest := bytes.Replace(body, list, nil, 1)
			if before != nil && (!bytes.HasPrefix(messages, append(before[:len(before):len(before)], ',')) || !bytes.Equal(rest, around)) {
				t.Fatalf("the conversation of %d steps does not begin as the one before\n%s\n%s\n%s\n%s", n, before, messages, around, rest)
			}
			before, around = messages, rest
		}
	})
}
