package cache

import (
	"strconv"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

func TestEntriesAreFoundUntilTheyExpire(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := NewShortLived[string](10, time.Minute, nil)
		s.Keep("a", "1")
		time.Sleep(30 * time.Second)
		s.Keep("b", "2")
		s.Keep("a2", "3")
		s.Keep("a2", "4") // the later one counts
		time.Sleep(31 * time.Second)
		for key, want := range map[string]string{"a": "", "b": "2", "a2": "4", "c": "", "": ""} {
			if got, ok := s.Find(key); got != want || ok != (want != "") {
				t.Errorf("%q is %q %v, want %q", key, got, ok, want)
			}
		}
	})
}

func TestFullMapForgetsTheOldest(t *testing.T) {
	const most = 100
	s := NewShortLived[int](most, time.Minute, nil)
	for i := range 2 * most {
		s.Keep(strconv.Itoa(i), i)
	}
	if _, ok := s.Find(strconv.Itoa(most - 1)); ok || s.Len() != most {
		t.Errorf("it has %d entries, want the last %d", s.Len(), most)
	}
	for i := most; i < 2*most; i++ {
		if got, ok := s.Find(strconv.Itoa(i)); !ok || got != i {
			t.Errorf("%d is %d %v", i, got, ok)
		}
	}
}

func TestEntriesHaveWeights(t *testing.T) {
	s := NewShortLived(10, time.Minute, func(v string) int { return len(v) })
	s.Keep("a", "1234")
	s.Keep("b", "1234")
	s.Keep("too much", "12345678901")
	s.Keep("b", "12") // in the place of the other
	s.Keep("c", "1234")
	if s.Len() != 3 {
		t.Errorf("%d entries, want 3", s.Len())
	}
	s.Keep("d", "123456")
	for key, want := range map[string]bool{"a": false, "b": false, "c": true, "d": true, "too much": false} {
		if _, ok := s.Find(key); ok != want {
			t.Errorf("%s is there: %v, want %v", key, ok, want)
		}
	}
	s.Keep("d", "12345678901")
	if _, ok := s.Find("d"); ok {
		t.Error("an entry is still what it was before it became too much")
	}
}

func TestGroupsCannotCrowdOutEachOther(t *testing.T) {
	s := NewShortLived[int](100, time.Minute, nil)
	s.Keep("quiet\x00x", 1)
	for i := range 1000 {
		s.Keep("loud\x00"+strconv.Itoa(i), i)
	}
	if _, ok := s.Find("quiet\x00x"); !ok || s.Len() != 1+100/share {
		t.Errorf("the quiet group's entry is there: %v, of %d in all", ok, s.Len())
	}
	if _, ok := s.Find("loud\x00999"); !ok {
		t.Error("the last entry of the loud group is gone")
	}
	for i := range 10 {
		for group := range 5 {
			s.Keep("g"+strconv.Itoa(group)+"\x00"+strconv.Itoa(i), i)
		}
	}
	if len(s.groups) != 7 || s.all.Len() != s.Len() || s.all.weight != s.Len() {
		t.Errorf("%d groups, %d places for %d entries", len(s.groups), s.all.Len(), s.Len())
	}
}

func TestExpiredEntriesAreRemovedAsOthersCome(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := NewShortLived[int](100, time.Minute, nil)
		for i := range 50 {
			s.Keep("old\x00"+strconv.Itoa(i), i)
		}
		time.Sleep(time.Minute + time.Second)
		s.Keep("new", 1)
		if s.Len() != 1 || len(s.places) != 1 || len(s.groups) != 1 {
			t.Errorf("%d entries, %d places, %d groups", s.Len(), len(s.places), len(s.groups))
		}
	})
}

func TestMapIsBoundedForParallelCallers(t *testing.T) {
	const most, callers = 50, 8
	s := NewShortLived[int](most, time.Hour, nil)
	var all sync.WaitGroup
	for caller := range callers {
		all.Go(func() {
			for i := range 500 {
				key := strconv.Itoa(caller) + " " + strconv.Itoa(i)
				s.Keep(key, i)
				if got, ok := s.Find(key); ok && got != i { // others may have crowded it out
					t.Errorf("%s is %d", key, got)
				}
			}
		})
	}
	all.Wait()
	if s.Len() != most {
		t.Errorf("it has %d entries, want %d", s.Len(), most)
	}
}

func TestOtherTypesAreNotFound(t *testing.T) {
	s := NewShortLived[*int](1, time.Hour, nil)
	s.Keep("nil", nil)
	if got, ok := s.Find("nil"); got != nil || !ok {
		t.Errorf("found %v %v", got, ok)
	}
}
