package main

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"strconv"
	"time"
)

// client is one connection of a load: HTTP/1.1 on a bare socket, so that the load
// takes little of the machine.
type client struct {
	conn net.Conn
	in   *bufio.Reader
	body []byte // of an answer that is no stream

	// event is called for each piece of a stream as it arrives, with the number of
	// events in it.
	event func(piece []byte, events int)
	// begun is when the first byte of the body arrived.
	begun  time.Time
	timed  bool
	events int
	// lineEnd tells that the last piece ended a line: an event ends with an empty one.
	lineEnd bool
	tail    []byte // the last bytes of a stream
}

func dial(addr string) (*client, error) {
	conn, err := net.Dial("tcp", addr)
	if err != nil {
		return nil, err
	}
	return &client{conn: conn, in: bufio.NewReaderSize(conn, 16<<10)}, nil
}

// call sends a request and reads the whole answer. That counts only if it is
// right: status 200, and the end of an answer where it should be.
func (c *client) call(request []byte, stream bool) error {
	if _, err := c.conn.Write(request); err != nil {
		return err
	}
	status, length, err := c.readHead()
	if err != nil {
		return err
	}
	if c.body, c.tail, c.events, c.lineEnd = c.body[:0], c.tail[:0], 0, false; c.timed {
		if _, err := c.in.Peek(1); err != nil {
			return err
		}
		c.begun = time.Now()
	}
	take := c.keep
	if stream && status == 200 {
		take = c.look
	}
	if length >= 0 {
		err = c.take(length, take)
	} else {
		err = c.chunks(take)
	}
	switch {
	case err != nil:
		return err
	case status != 200:
		return fmt.Errorf("status %d: %.300s", status, c.body)
	case stream && !bytes.HasSuffix(c.tail, []byte("data: [DONE]\n\n")):
		return fmt.Errorf("the stream ends with %q", c.tail)
	case !stream && !bytes.Contains(c.body, []byte(`"finish_reason":"stop"`)):
		return fmt.Errorf("not the answer: %.300s", c.body)
	}
	return nil
}

var errHead = errors.New("not the head of an HTTP answer")

// readHead reads to the blank line. A length of -1 is a body in chunks.
func (c *client) readHead() (status, length int, err error) {
	line, err := c.in.ReadSlice('\n')
	if err != nil {
		return 0, 0, err
	}
	if len(line) < 12 {
		return 0, 0, errHead
	}
	if status, err = strconv.Atoi(string(line[9:12])); err != nil {
		return 0, 0, errHead
	}
	for {
		if line, err = c.in.ReadSlice('\n'); err != nil {
			return 0, 0, err
		}
		if line = bytes.TrimRight(line, "\r\n"); len(line) == 0 {
			return status, length, nil
		}
		switch name, value, _ := bytes.Cut(line, []byte(": ")); {
		case bytes.EqualFold(name, []byte("content-length")):
			if length, err = strconv.Atoi(string(value)); err != nil {
				return 0, 0, errHead
			}
		case bytes.EqualFold(name, []byte("transfer-encoding")):
			length = -1
		}
	}
}

// take reads n bytes of a body as they come.
func (c *client) take(n int, use func([]byte)) error {
	for n > 0 {
		if _, err := c.in.Peek(1); err != nil {
			return err
		}
		piece, err := c.in.Peek(min(n, c.in.Buffered()))
		if err != nil {
			return err
		}
		use(piece)
		n -= len(piece)
		if _, err := c.in.Discard(len(piece)); err != nil {
			return err
		}
	}
	return nil
}

func (c *client) chunks(use func([]byte)) error {
	for {
		line, err := c.in.ReadSlice('\n')
		if err != nil {
			return err
		}
		size, err := strconv.ParseInt(string(bytes.TrimRight(line, "\r\n")), 16, 32)
		if err != nil {
			return fmt.Errorf("chunk size: %w", err)
		}
		if err := c.take(int(size), use); err != nil {
			return err
		}
		if _, err := c.in.ReadSlice('\n'); err != nil && (size > 0 || !errors.Is(err, io.EOF)) {
			return err
		}
		if size == 0 {
			return nil
		}
	}
}

func (c *client) keep(piece []byte) { c.body = append(c.body, piece...) }

// look counts the events that end in a piece of a stream.
func (c *client) look(piece []byte) {
	n := 0
	for rest := piece; ; {
		i := bytes.IndexByte(rest, '\n')
		if c.lineEnd && i == 0 {
			n++
		}
		if i < 0 {
			c.lineEnd = c.lineEnd && len(rest) == 0
			break
		}
		c.lineEnd = true
		if rest = rest[i+1:]; len(rest) > 0 && rest[0] != '\n' {
			c.lineEnd = false
		}
	}
	c.events += n
	c.tail = append(c.tail, piece[max(0, len(piece)-32):]...)
	c.tail = append(c.tail[:0], c.tail[max(0, len(c.tail)-32):]...)
	if c.event != nil {
		c.event(piece, n)
	}
}
