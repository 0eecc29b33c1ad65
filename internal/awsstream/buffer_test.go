package awsstream

import (
	"bytes"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"hash/crc32"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/caddyllm/llmproxy/internal/jsonbytes"
	"github.com/caddyllm/llmproxy/internal/sse"
)

// frameOf makes a frame with string headers, given as names and values in turn.
func frameOf(payload string, headers ...string) []byte {
	var list []byte
	for i := 0; i < len(headers); i += 2 {
		list = append(append(list, byte(len(headers[i]))), headers[i]...)
		list = binary.BigEndian.AppendUint16(append(list, typeString), uint16(len(headers[i+1])))
		list = append(list, headers[i+1]...)
	}
	return seal(list, payload)
}

// seal puts lengths and checksums around headers and payload.
func seal(headers []byte, payload string) []byte {
	frame := binary.BigEndian.AppendUint32(nil, uint32(frameSize+len(headers)+len(payload)))
	frame = binary.BigEndian.AppendUint32(frame, uint32(len(headers)))
	frame = binary.BigEndian.AppendUint32(frame, crc32.ChecksumIEEE(frame))
	frame = append(append(frame, headers...), payload...)
	return binary.BigEndian.AppendUint32(frame, crc32.ChecksumIEEE(frame))
}

func eventOf(name, payload string) []byte {
	return frameOf(payload, ":event-type", name, ":content-type", "application/json", ":message-type", "event")
}

func exceptionOf(name, payload string) []byte {
	return frameOf(payload, ":exception-type", name, ":content-type", "application/json", ":message-type", "exception")
}

func chunkOf(text string) []byte {
	return eventOf("chunk", `{"bytes":"`+base64.StdEncoding.EncodeToString([]byte(text))+`","p":"abc"}`)
}

// readAll reads a stream and describes its events.
func readAll(b *Buffer, r io.Reader) (events []string, err error) {
	for {
		_, err := b.Fill(r)
		for e, ok := b.Next(); ok; e, ok = b.Next() {
			line := string(e.Name) + " " + string(e.Data)
			if b.Chunks {
				line += " " + string(e.Raw)
			}
			events = append(events, line)
		}
		if err != nil {
			return events, err
		}
	}
}

// several is a stream of events, an exception and an error, of many sizes.
func several() ([]byte, []string) {
	long := strings.Repeat("x", 9000)
	stream := slices.Concat(
		eventOf("messageStart", `{"role":"assistant"}`),
		eventOf("contentBlockDelta", `{"delta":{"text":"`+long+`"}}`),
		seal([]byte("\x01a\x00\x01b\x01\x01c\x02\x07\x01d\x03\x00\x07\x01e\x04\x00\x00\x00\x07\x01f\x05\x00\x00\x00\x00\x00\x00\x00\x07"+
			"\x01g\x06\x00\x02zz\x01h\x08\x00\x00\x00\x00\x00\x00\x00\x07\x01i\x090123456789abcdef"+
			"\x0b:event-type\x07\x00\x03odd\x0d:message-type\x07\x00\x05event"), "of all types"),
		eventOf("empty", ""),
		exceptionOf("throttlingException", `{"message":"slow"}`),
		frameOf("", ":message-type", "error", ":error-code", "InternalError", ":error-message", `a "b"`),
	)
	return stream, []string{
		`messageStart {"role":"assistant"}`, `contentBlockDelta {"delta":{"text":"` + long + `"}}`, "odd of all types", "empty ",
		`exception:throttlingException {"message":"slow"}`, `error:InternalError {"message":"a \"b\""}`,
	}
}

func TestEventsComeOutWhole(t *testing.T) {
	stream, want := several()
	for name, r := range map[string]io.Reader{
		"at once": bytes.NewReader(stream), "byte by byte": iotest.OneByteReader(bytes.NewReader(stream)),
		"half by half": iotest.HalfReader(bytes.NewReader(stream)), "end with the data": iotest.DataErrReader(bytes.NewReader(stream)),
	} {
		b := &Buffer{}
		for range 2 {
			got, err := readAll(b, r)
			if !slices.Equal(got, want) || err != io.EOF || b.Err() != nil {
				t.Errorf("%s: %q, %v", name, got, err)
			}
			b.Reset()
			r = bytes.NewReader(stream)
		}
	}
}

func TestAStreamMayBeCutAnywhere(t *testing.T) {
	stream, want := several()
	for cut := range stream {
		got, err := readAll(&Buffer{}, io.MultiReader(bytes.NewReader(stream[:cut]), bytes.NewReader(stream[cut:])))
		if !slices.Equal(got, want) || err != io.EOF {
			t.Fatalf("cut at %d: %q, %v", cut, got, err)
		}
	}
}

func TestATruncatedFrameIsNoEvent(t *testing.T) {
	first := eventOf("a", "1")
	stream := slices.Concat(first, eventOf("b", "2"))
	for end := len(first); end < len(stream); end++ {
		b := &Buffer{}
		got, err := readAll(b, bytes.NewReader(stream[:end]))
		if !slices.Equal(got, []string{"a 1"}) || err != io.EOF {
			t.Fatalf("ended at %d: %q, %v", end, got, err)
		}
		if _, ok := b.Tail(); ok {
			t.Fatalf("ended at %d: there is a tail", end)
		}
	}
}

func TestACorruptFrameIsAnErrorAndNoData(t *testing.T) {
	first, second := eventOf("a", "1"), eventOf("b", "2")
	for at := range second {
		for bit := range 8 {
			bad := bytes.Clone(second)
			bad[at] ^= 1 << bit
			b := &Buffer{}
			got, err := readAll(b, io.MultiReader(bytes.NewReader(slices.Concat(first, bad)), endless{}))
			if !slices.Equal(got, []string{"a 1"}) || !errors.Is(err, ErrCorrupt) || !errors.Is(b.Err(), ErrCorrupt) {
				t.Fatalf("byte %d, bit %d: %q, %v", at, bit, got, err)
			}
		}
	}
}

// endless has always more.
type endless struct{}

func (endless) Read(p []byte) (int, error) { return len(p), nil }

func TestBadFramesWithRightChecksumsAreErrors(t *testing.T) {
	short := binary.BigEndian.AppendUint32(nil, frameSize-1)
	short = binary.BigEndian.AppendUint32(short, 0)
	short = binary.BigEndian.AppendUint32(short, crc32.ChecksumIEEE(short))
	deep := binary.BigEndian.AppendUint32(nil, frameSize)
	deep = binary.BigEndian.AppendUint32(deep, 1)
	deep = binary.BigEndian.AppendUint32(deep, crc32.ChecksumIEEE(deep))
	for name, stream := range map[string][]byte{
		"shorter than a frame": short, "more headers than frame": deep, "no message type": frameOf("x"),
		"unknown message type": frameOf("x", ":message-type", "other"),
		"unknown header type":  seal([]byte("\x01a\x0a"), ""), "header without type": seal([]byte("\x01a"), ""),
		"value cut": seal([]byte("\x01a\x07\x00\x02x"), ""), "length cut": seal([]byte("\x01a\x07\x00"), ""), "number cut": seal([]byte("\x01a\x05\x00"), ""),
	} {
		b := &Buffer{}
		if got, _ := readAll(b, bytes.NewReader(stream)); got != nil || !errors.Is(b.Err(), ErrCorrupt) {
			t.Errorf("%s: %q, %v", name, got, b.Err())
		}
	}
}

func TestAFrameLargerThanMaxIsTooLarge(t *testing.T) {
	frame := eventOf("a", strings.Repeat("x", 5000))
	for _, max := range []int{len(frame) - 1, preludeSize, preludeSize - 1} {
		b := &Buffer{Max: max}
		if got, err := readAll(b, io.MultiReader(bytes.NewReader(frame), endless{})); got != nil || err != sse.ErrTooLarge {
			t.Errorf("Max %d: %q, %v", max, got, err)
		}
	}
	if got, err := readAll(&Buffer{Max: len(frame)}, bytes.NewReader(slices.Concat(frame, frame, frame))); len(got) != 3 || err != io.EOF {
		t.Errorf("got %d events, %v", len(got), err)
	}
}

func TestChunksAreUnwrapped(t *testing.T) {
	const ping = `{"type":"ping"}`
	stream := slices.Concat(
		eventOf("initial-response", "{}"), chunkOf(ping),
		eventOf("chunk", `{"p":"x","bytes":"`+strings.ReplaceAll(base64.StdEncoding.EncodeToString([]byte(`{"type":"a","t":"???>>>"}`)), "/", `\/`)+`"}`),
		chunkOf("{\"type\": \"b\",\n \"t\": \"x y\"}"),
		exceptionOf("throttlingException", `{"message":"slow \"down\""}`), exceptionOf("validationException", `{"message":"m"}`),
		exceptionOf("modelNotReadyException", `{"message":"m"}`), exceptionOf("serviceUnavailableException", `{"message":"m"}`),
		exceptionOf("modelStreamErrorException", `{}`), frameOf("", ":message-type", "error", ":error-code", "X", ":error-message", "why"),
	)
	line := func(name, data string) string {
		return name + " " + data + " event: " + name + "\ndata: " + data + "\n\n"
	}
	failed := func(typ, message string) string {
		return line("error", `{"type":"error","error":{"type":"`+typ+`","message":"`+message+`"}}`)
	}
	want := []string{
		line("ping", ping), line("a", `{"type":"a","t":"???>>>"}`), line("b", `{"type":"b","t":"x y"}`),
		failed("rate_limit_error", `slow \"down\"`), failed("invalid_request_error", "m"), failed("overloaded_error", "m"), failed("overloaded_error", "m"),
		failed("api_error", "the provider ended the stream with an error and did not say why"), failed("api_error", "why"),
	}
	for cut := range stream {
		got, err := readAll(&Buffer{Chunks: true}, io.MultiReader(bytes.NewReader(stream[:cut]), bytes.NewReader(stream[cut:])))
		if !slices.Equal(got, want) || err != io.EOF {
			t.Fatalf("cut at %d:\n got %q, %v\nwant %q", cut, got, err, want)
		}
	}
}

func TestChunksWithoutAnEventAreErrors(t *testing.T) {
	for _, frame := range [][]byte{
		eventOf("chunk", `{}`), eventOf("chunk", `{"bytes":1}`), eventOf("chunk", `{"bytes":"!"}`), eventOf("chunk", `x`), chunkOf(``), chunkOf(`[]`),
		chunkOf(`{"type":""}`), chunkOf(`{"type":"a\nb"}`), chunkOf("{\"type\":\"a\"\n"), chunkOf(`{"type":1}`), frameOf("", ":message-type", "other"),
	} {
		b := &Buffer{Chunks: true}
		if got, _ := readAll(b, bytes.NewReader(frame)); got != nil || !errors.Is(b.Err(), ErrCorrupt) {
			t.Errorf("%s: %q, %v", frame, got, b.Err())
		}
	}
}

func TestEventsStayValidUntilTheNextFill(t *testing.T) {
	var stream []byte
	for range 500 {
		stream = append(stream, chunkOf(`{"type":"a","text":"0123456789"}`)...)
	}
	b := &Buffer{Chunks: true, data: make([]byte, 0, len(stream)+1)}
	b.Fill(bytes.NewReader(stream))
	var events []sse.Event
	for e, ok := b.Next(); ok; e, ok = b.Next() {
		events = append(events, e)
	}
	for i, e := range events {
		if string(e.Raw) != "event: a\ndata: {\"type\":\"a\",\"text\":\"0123456789\"}\n\n" || string(e.Name) != "a" {
			t.Fatalf("event %d became %q", i, e.Raw)
		}
	}
	if len(events) != 500 {
		t.Errorf("%d events", len(events))
	}
}

func TestReadersThatLieAreRefused(t *testing.T) {
	if _, err := (&Buffer{}).Fill(lying{}); err != errBadRead {
		t.Error(err)
	}
}

type lying struct{}

func (lying) Read(p []byte) (int, error) { return len(p) + 1, nil }

func TestReadingDoesNotAllocatePerEvent(t *testing.T) {
	var stream []byte
	for range 100 {
		stream = append(stream, eventOf("contentBlockDelta", `{"contentBlockIndex":0,"delta":{"text":"x"}}`)...)
		stream = append(stream, chunkOf(`{"type":"content_block_delta"}`)...)
	}
	for _, chunks := range []bool{false, true} {
		b, r := &Buffer{Chunks: chunks}, bytes.NewReader(nil)
		run := func() {
			b.Reset()
			r.Reset(stream)
			for err := error(nil); err == nil; {
				_, err = b.Fill(r)
				for _, ok := b.Next(); ok; _, ok = b.Next() {
				}
			}
		}
		run()
		if n := testing.AllocsPerRun(20, run); n > 4 || b.Err() != nil {
			t.Errorf("chunks %v: %v allocations, %v", chunks, n, b.Err())
		}
	}
}

func TestRecordedStreamsRead(t *testing.T) {
	folder := os.Getenv("LLMPROXY_FIXTURES")
	if folder == "" {
		t.Skip("LLMPROXY_FIXTURES does not name the folder with recorded provider traffic")
	}
	for _, wire := range []string{"bedrock-converse", "bedrock-invoke-anthropic"} {
		files, err := filepath.Glob(filepath.Join(folder, wire, "*", "response.bin"))
		if err != nil || len(files) == 0 {
			t.Fatalf("no recordings of %s (%v)", wire, err)
		}
		for _, file := range files {
			stream, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			chunks := wire == "bedrock-invoke-anthropic"
			want, err := readAll(&Buffer{Chunks: chunks}, bytes.NewReader(stream))
			if err != io.EOF || len(want) == 0 {
				t.Fatalf("%s: %d events, %v", file, len(want), err)
			}
			for cut := 0; cut < len(stream); cut += 1 + len(stream)/300 {
				b := &Buffer{Chunks: chunks}
				if got, _ := readAll(b, io.MultiReader(bytes.NewReader(stream[:cut]), bytes.NewReader(stream[cut:]))); !slices.Equal(got, want) {
					t.Fatalf("%s: cut at %d: %d events", file, cut, len(got))
				}
			}
			if got, err := readAll(&Buffer{Chunks: chunks}, iotest.OneByteReader(bytes.NewReader(stream))); !slices.Equal(got, want) {
				t.Fatalf("%s byte by byte: %d events, %v", file, len(got), err)
			}
			bad := bytes.Clone(stream)
			bad[len(bad)/2] ^= 1
			b := &Buffer{Chunks: chunks}
			if got, _ := readAll(b, bytes.NewReader(bad)); len(got) >= len(want) {
				t.Errorf("%s: a damaged stream gave %d events, %v", file, len(got), b.Err())
			}
		}
	}
}

func FuzzStream(f *testing.F) {
	stream, _ := several()
	f.Add(stream, 100, true)
	f.Add(slices.Concat(chunkOf(`{"type":"ping"}`), chunkOf(`x`)), 7, false)
	f.Add([]byte{0, 0, 0, 16, 0, 0, 0, 0}, 3, true)
	f.Fuzz(func(t *testing.T, stream []byte, cut int, mend bool) {
		if mend { // random bytes rarely have a right checksum
			stream = seal(nil, string(stream))
			if len(stream) > 40 {
				stream = slices.Concat(stream, eventOf("chunk", string(stream[12:40])))
			}
		}
		cut = min(max(cut, 0), len(stream))
		for _, chunks := range []bool{false, true} {
			a, b := &Buffer{Chunks: chunks, Max: 1 << 16}, &Buffer{Chunks: chunks, Max: 1 << 16}
			want, _ := readAll(a, bytes.NewReader(stream))
			got, _ := readAll(b, io.MultiReader(bytes.NewReader(stream[:cut]), bytes.NewReader(stream[cut:])))
			if !slices.Equal(got, want) {
				t.Fatalf("cut at %d: %q, whole: %q", cut, got, want)
			}
		}
	})
}

func FuzzChunk(f *testing.F) {
	f.Add([]byte(`{"type":"ping"}`))
	f.Add([]byte("{\"type\":\"a\",\n\"b\":1}"))
	f.Fuzz(func(t *testing.T, text []byte) {
		b := &Buffer{Chunks: true, Max: 1 << 20}
		b.Fill(bytes.NewReader(chunkOf(string(text))))
		event, ok := b.Next()
		if !ok {
			return
		}
		var parser sse.Buffer
		parser.Fill(bytes.NewReader(event.Raw))
		parsed, ok := parser.Next()
		if !ok || !bytes.Equal(parsed.Name, event.Name) || !bytes.Equal(parsed.Data, event.Data) {
			t.Fatalf("%q is not the event %q %q", event.Raw, event.Name, event.Data)
		}
		if jsonbytes.Check(text, 0) == nil && jsonbytes.Check(event.Data, 0) != nil {
			t.Fatalf("%q became %q", text, event.Data)
		}
	})
}
