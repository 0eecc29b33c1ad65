package gateway

import (
	"bytes"
	"fmt"
	"net/http/httptest"
	"testing"
	"testing/synctest"
	"time"

	"github.com/caddyllm/llmproxy/auth"
	"github.com/caddyllm/llmproxy/transform/openai"
)

// callOf is a call of a key, as far as keeping its stream takes it.
func callOf(key string) *call {
	return &call{
		r: httptest.NewRequest("POST", "/v1/chat/completions", nil), claim: claim{op: opChat, client: openai.Codec{}},
		principal: &auth.Principal{ID: key},
	}
}

// fill appends events to a stream until it has so many bytes or is full.
func fill(s *keptStream, bytesWanted int) bool {
	event := bytes.Repeat([]byte("e"), 60<<10)
	for n := 0; n < bytesWanted; n += len(event) {
		if !s.log.Append(event) {
			return false
		}
	}
	return true
}

func TestKeptStreamsTakeNoMoreThanTheyMay(t *testing.T) {
	k := NewKeptStreams()
	var all []*keptStream
	for i := range 200 {
		s := k.begin(callOf(fmt.Sprint("key", i%8)), headerStreamUTF8, "other")
		if s == nil {
			t.Fatal("there was no room")
		}
		fill(s, 1<<20)
		k.end(s, nil, time.Hour)
		all = append(all, s)
		if k.all.bytes > maxKeptBytes {
			t.Fatalf("%d bytes are kept", k.all.bytes)
		}
	}
	if len(k.byID) < 50 || k.byID[all[199].id] == nil || k.byID[all[0].id] != nil {
		t.Errorf("%d streams are kept, the last and not the first", len(k.byID))
	}
	if err := k.Destruct(); err != nil || k.all != (kept{}) || len(k.principals) != 0 {
		t.Errorf("%+v is left", k.all)
	}
}

func TestOnePrincipalTakesItsShareOnly(t *testing.T) {
	k := NewKeptStreams()
	other := k.begin(callOf("other"), headerStreamUTF8, "other")
	fill(other, 1<<20)
	k.end(other, nil, time.Hour)
	var live []*keptStream
	for range 4 {
		s := k.begin(callOf("greedy"), headerStreamUTF8, "other")
		live = append(live, s)
		fill(s, 5<<20)
	}
	if k.principals["key greedy"].bytes > maxKeptBytes/keptShare {
		t.Errorf("it has %d bytes", k.principals["key greedy"].bytes)
	}
	if live[3].log.Append(nil) {
		t.Error("a stream beyond the share is kept")
	}
	if k.byID[other.id] == nil || k.byID[live[0].id] == nil {
		t.Error("what is within a share had to give way")
	}
	for range maxKeptStreams {
		k.begin(callOf("many"), headerStreamUTF8, "other")
	}
	if n := k.principals["key many"].streams; n != maxKeptStreams/keptShare {
		t.Errorf("it has %d streams", n)
	}
	_ = k.Destruct()
}

func TestStreamsThatAreReadDoNotGiveWay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := NewKeptStreams()
		s := k.begin(callOf("app"), headerStreamUTF8, "other")
		fill(s, 7<<20)
		k.end(s, nil, time.Minute)
		read, live := k.join(s.id, callOf("app"))
		if read != s || live != nil {
			t.Fatal("it is not found")
		}
		second := k.begin(callOf("app"), headerStreamUTF8, "other")
		fill(second, 7<<20)
		third := k.begin(callOf("app"), headerStreamUTF8, "other")
		if fill(third, 7<<20) {
			t.Error("the share is exceeded")
		}
		time.Sleep(2 * time.Minute)
		if got, _ := k.join(s.id, callOf("app")); got != nil {
			t.Error("an expired stream is found")
		}
		before := k.all.bytes
		k.leave(s)
		if k.all.bytes >= before {
			t.Error("its memory counts after its last reader")
		}
		_ = k.Destruct()
	})
}

func TestAnonymousIsNoKey(t *testing.T) {
	k := NewKeptStreams()
	c := callOf("anonymous")
	c.principal.Anonymous = true
	s := k.begin(c, headerStreamUTF8, "other")
	if got, _ := k.join(s.id, callOf("anonymous")); got != nil {
		t.Error("a key of that name gets what anonymous callers began")
	}
	k.forget(s)
	k.forget(s)
	if k.all != (kept{}) {
		t.Errorf("%+v is left", k.all)
	}
}
