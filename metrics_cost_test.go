//go:build !race

package llmproxy

import (
	"io"
	"net/http"
	"testing"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"

	"github.com/caddyllm/llmproxy/usage"
)

// usualRecord is of a stream that went well.
func usualRecord() *usage.Record {
	return &usage.Record{
		Start: time.Now(), RequestID: "req_1", Principal: "load", Operation: "chat", RequestedModel: "bench", Route: "bench",
		Provider: "openai", Model: "gpt", Stream: true, Status: http.StatusOK, Attempts: 1, Finish: "stop", Ending: usage.Complete,
		Tokens:     usage.Tokens{Input: 256, Output: 100, Known: true, Cost: 1000, CostKnown: true},
		FirstToken: time.Millisecond, Duration: 2 * time.Millisecond,
	}
}

func TestCountingACallAllocatesLittle(t *testing.T) {
	o, r, record := &observer{log: zap.NewNop()}, new(http.Request), usualRecord()
	count := func() { o.Started(); o.Settled(r, record) }
	count()
	if n := testing.AllocsPerRun(100, count); n > 2 {
		t.Errorf("%v allocations", n)
	}
}

func BenchmarkCountCall(b *testing.B) {
	o, r, record := &observer{log: zap.NewNop()}, new(http.Request), usualRecord()
	b.ReportAllocs()
	for b.Loop() {
		o.Started()
		o.Settled(r, record)
	}
}

// BenchmarkWriteRecord counts a call and writes its record, to nowhere.
func BenchmarkWriteRecord(b *testing.B) {
	encoder := zapcore.NewJSONEncoder(zap.NewProductionEncoderConfig())
	o := &observer{log: zap.New(zapcore.NewCore(encoder, zapcore.AddSync(io.Discard), zap.InfoLevel))}
	r, record := new(http.Request), usualRecord()
	b.ReportAllocs()
	for b.Loop() {
		o.Started()
		o.Settled(r, record)
	}
}
