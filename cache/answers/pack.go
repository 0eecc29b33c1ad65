package answers

import (
	"errors"
	"sync"

	"github.com/klauspost/compress/zstd"
)

const (
	// leastPacked is the size from which on packing is worth the try.
	leastPacked = 1 << 10
	// packGain is how many times smaller a body must become to stay packed. Streams,
	// which say the same in every event, become 30 times smaller and more.
	packGain = 2
)

// Both work on whole bodies only, without goroutines, and may be shared.
var (
	packer = sync.OnceValue(func() *zstd.Encoder {
		e, _ := zstd.NewWriter(nil, zstd.WithEncoderLevel(zstd.SpeedFastest),
			zstd.WithEncoderCRC(false), zstd.WithLowerEncoderMem(true)) // only wrong options are errors
		return e
	})
	unpacker = sync.OnceValue(func() *zstd.Decoder {
		d, _ := zstd.NewReader(nil, zstd.WithDecoderConcurrency(0), zstd.WithDecoderMaxMemory(1<<31))
		return d
	})
)

// pack compresses a body, if it pays.
func pack(body []byte) (packed []byte, ok bool) {
	if len(body) < leastPacked {
		return body, false
	}
	packed = packer().EncodeAll(body, make([]byte, 0, len(body)/4))
	if len(packed) > len(body)/packGain {
		return body, false
	}
	return packed, true
}

// unpack is the body of so many bytes. What would become more is refused before it does.
func unpack(packed []byte, size int) ([]byte, error) {
	var h zstd.Header
	if err := h.Decode(packed); err != nil || !h.HasFCS || h.FrameContentSize != uint64(size) {
		return nil, errors.New("its length is not what it says")
	}
	return unpacker().DecodeAll(packed, make([]byte, 0, size))
}
