package excerpt

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"strings"
	"testing"
	"unicode/utf8"
)

func media(n int) string {
	return base64.StdEncoding.EncodeToString(bytes.Repeat([]byte{0xfb, 7}, n)[:n])
}

func TestMediaBecomeTheirSize(t *testing.T) {
	long, text := media(1000), strings.Repeat("word ", 200)
	for in, want := range map[string]string{
		"":                                     "",
		"hello":                                "hello",
		text:                                   text,
		`{"data":"` + long + `"}`:              `{"data":"[base64, 1000 bytes]"}`,
		`"data:image/png;base64,aGk="`:         `"data:image/png;base64,[base64, 2 bytes]"`,
		`"data:image/png;base64,` + long:       `"data:image/png;base64,[base64, 1000 bytes]`,
		`"url":"data:,plain"`:                  `"url":"data:,plain"`,
		strings.ReplaceAll(long, "/", `\/`):    "[base64, 1000 bytes]",
		long + " " + long:                      "[base64, 1000 bytes] [base64, 1000 bytes]",
		"short " + media(150) + " is no media": "short " + media(150) + " is no media",
		`line\nbreak\/slash`:                   `line\nbreak\/slash`,
	} {
		for _, piece := range []int{1, 7, 300, len(in) + 1} {
			e := New(1 << 20)
			for at := 0; at < len(in); at += piece {
				_, _ = e.Write([]byte(in[at:min(at+piece, len(in))]))
			}
			if got, ok := e.Text(); got != want || !ok || e.Full() || e.Size() != int64(len(in)) {
				t.Errorf("%.40q in pieces of %d is %.80q, %v, %d bytes, want %.80q", in, piece, got, ok, e.Size(), want)
			}
		}
	}
}

func TestTheBeginningIsKept(t *testing.T) {
	e := New(10)
	for range 5 {
		fmt.Fprint(&e, "añb ")
	}
	if got, ok := e.Text(); got != "añb añb " || !ok {
		t.Errorf("kept %q, %v", got, ok)
	}
	if !e.Full() || e.Size() != 25 {
		t.Errorf("full: %v, of %d bytes", e.Full(), e.Size())
	}
	exact := New(3)
	_, _ = exact.Write([]byte("a b"))
	if got, _ := exact.Text(); got != "a b" || exact.Full() {
		t.Errorf("kept %q, full: %v", got, exact.Full())
	}
	sound := New(100)
	_, _ = sound.Write([]byte{0xff, 0xfb, 0x90, 0})
	if _, ok := sound.Text(); ok {
		t.Error("sound is taken for text")
	}
}

func FuzzExcerptsAreBoundedAndNeverBreakACharacter(f *testing.F) {
	f.Add("héllo "+media(400), 30, 3)
	f.Add(`{"url":"data:image\/png;base64,AA=="}`, 5, 1)
	f.Fuzz(func(t *testing.T, text string, most, piece int) {
		if most < 0 || most > 1<<16 || piece < 1 {
			return
		}
		e := New(most)
		for at := 0; at < len(text); at += piece {
			_, _ = e.Write([]byte(text[at:min(at+piece, len(text))]))
			if piece > len(text) {
				break
			}
		}
		got, ok := e.Text()
		if len(got) > most+leastMedia+64 || e.Size() != int64(len(text)) {
			t.Errorf("%d bytes are kept, of %d", len(got), e.Size())
		}
		if utf8.ValidString(text) && !ok {
			t.Errorf("%q is cut to %q", text, got)
		}
	})
}
