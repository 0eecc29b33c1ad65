package sdk_test

import (
	"bytes"
	"encoding/base64"
	"encoding/binary"
	"hash/crc32"
	"io"
	"strings"
)

// framing writes one event of a stream.
type framing func(w io.Writer, e event)

func data(e event) string {
	if text, ok := e.data.(raw); ok {
		return string(text)
	}
	return encode(e.data)
}

func sse(w io.Writer, e event) {
	if e.name != "" {
		_, _ = io.WriteString(w, "event: "+e.name+"\n")
	}
	_, _ = io.WriteString(w, "data: "+data(e)+"\n\n")
}

// crlf is Google's way, which has no names.
func crlf(w io.Writer, e event) { _, _ = io.WriteString(w, "data: "+data(e)+"\r\n\r\n") }

func lines(w io.Writer, e event) { _, _ = io.WriteString(w, data(e)+"\n") }

// awsFrame is a message of application/vnd.amazon.eventstream: lengths, their
// checksum, headers, payload, checksum.
func awsFrame(w io.Writer, e event) {
	headers := []string{":message-type", "event", ":event-type", e.name, ":content-type", "application/json"}
	if exception, ok := strings.CutPrefix(e.name, "!"); ok {
		headers[1], headers[2], headers[3] = "exception", ":exception-type", exception
	}
	var h bytes.Buffer
	for i := 0; i < len(headers); i += 2 {
		h.WriteByte(byte(len(headers[i])))
		h.WriteString(headers[i])
		h.WriteByte(7) // a string
		_ = binary.Write(&h, binary.BigEndian, uint16(len(headers[i+1])))
		h.WriteString(headers[i+1])
	}
	payload := data(e)
	frame := binary.BigEndian.AppendUint32(nil, uint32(12+h.Len()+len(payload)+4))
	frame = binary.BigEndian.AppendUint32(frame, uint32(h.Len()))
	frame = binary.BigEndian.AppendUint32(frame, crc32.ChecksumIEEE(frame))
	frame = append(append(frame, h.Bytes()...), payload...)
	frame = binary.BigEndian.AppendUint32(frame, crc32.ChecksumIEEE(frame))
	_, _ = w.Write(frame)
}

// awsChunk wraps an event of the model's own format.
func awsChunk(w io.Writer, e event) {
	if !strings.HasPrefix(e.name, "!") {
		e = event{name: "chunk", data: object{"bytes": base64.StdEncoding.EncodeToString([]byte(data(e))), "p": "abc"}}
	}
	awsFrame(w, e)
}
