package gateway

import (
	"fmt"
	"net/http"
	"runtime"
	"runtime/debug"

	"github.com/caddyllm/llmproxy/usage"
)

// A Panic is a mistake in the program that ended a call.
type Panic struct {
	// Call is what is known of the call by now. It goes on.
	Call *usage.Record
	// What is the panic's text where that is Go's own, else its type: a text of
	// anybody else's may hold what is in a request.
	What string
	// Stack has places and no content.
	Stack []byte
}

// rescue answers a call that panicked, so that its client is told in its own
// format. It is deferred; what goes on from here is a panic that means to cut
// the connection, or one in an answer that cannot say any more that it failed.
func (c *call) rescue() {
	value := recover()
	if value == nil {
		return
	}
	if value == http.ErrAbortHandler { //nolint:errorlint // as net/http compares it
		panic(value)
	}
	if c.g.Panicked != nil {
		c.record.Operation = c.operationName()
		c.g.Panicked(&Panic{Call: &c.record, What: describe(value), Stack: debug.Stack()})
	}
	c.whole = false // or the answer would be cached
	if !c.committed {
		c.fail(errInternal)
		return
	}
	c.record.Error, c.record.ErrorStatus = errInternal.Class(), http.StatusInternalServerError
	if c.hasEnd {
		_ = http.NewResponseController(c.w).Flush() // the client may have the end that there was
	}
	if c.hasEnd || !c.failInStream(errInternal) {
		panic(http.ErrAbortHandler)
	}
}

func describe(value any) string {
	if err, ok := value.(runtime.Error); ok {
		return err.Error()
	}
	return fmt.Sprintf("%T", value)
}
