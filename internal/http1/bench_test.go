package http1

import (
	"bufio"
	"context"
	"fmt"
	"net"
	"net/http"
	"strconv"
	"strings"
	"testing"
)

// The host of these measurements does next to nothing: it finds the length of each
// request and answers with the same bytes. What differs between the two clients is
// their own.
func benchHost(b *testing.B, answer string) *server {
	said := []byte(answer)
	return serve(b, func(_ int, c net.Conn, in *bufio.Reader) {
		for {
			length := 0
			for {
				line, err := in.ReadSlice('\n')
				if err != nil {
					return
				}
				if len(line) <= 2 {
					break
				}
				if name, value, _ := strings.Cut(string(line), ": "); name == "Content-Length" {
					length, _ = strconv.Atoi(strings.TrimSpace(value))
				}
			}
			if _, err := in.Discard(length); err != nil {
				return
			}
			if _, err := c.Write(said); err != nil {
				return
			}
		}
	})
}

func BenchmarkRoundTrip(b *testing.B) {
	fields := "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nDate: Tue, 24 Nov 2026 14:00:00 GMT\r\nX-Request-Id: 0123456789\r\n"
	var events strings.Builder
	for range 100 {
		event := "data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\"word \"}}]}\n\n"
		fmt.Fprintf(&events, "%x\r\n%s\r\n", len(event), event)
	}
	whole := fields + "Content-Length: 1024\r\n\r\n" + long(1024)
	for _, test := range []struct {
		name, answer string
		size         int
	}{
		{"json1k", whole, 1 << 10},
		{"json64k", whole, 64 << 10},
		{"sse100", fields + "Transfer-Encoding: chunked\r\n\r\n" + events.String() + "0\r\n\r\n", 1 << 10},
	} {
		clients := map[string]http.RoundTripper{
			"http1":    newTransport(b, Options{}),
			"net-http": &http.Transport{DisableCompression: true, MaxIdleConnsPerHost: 512},
		}
		for _, name := range []string{"http1", "net-http"} {
			b.Run(test.name+"/"+name, func(b *testing.B) {
				s := benchHost(b, test.answer)
				text := long(test.size)
				b.ReportAllocs()
				b.RunParallel(func(pb *testing.PB) {
					ctx, cancel := context.WithCancel(b.Context())
					defer cancel()
					p := make([]byte, 32<<10)
					r, m := post(ctx, s.URL, text)
					r.GetBody = nil
					reader := strings.NewReader(text)
					m.Reader = reader
					for pb.Next() {
						reader.Reset(text)
						r.Body = m
						response, err := clients[name].RoundTrip(r)
						if err != nil {
							b.Error(err)
							return
						}
						for err == nil {
							_, err = response.Body.Read(p)
						}
						_ = response.Body.Close()
					}
				})
			})
		}
		clients["net-http"].(*http.Transport).CloseIdleConnections()
	}
}
