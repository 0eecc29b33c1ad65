package providers

import (
	"context"
	"errors"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

func TestATokenIsFetchedOnceAndRenewedUnnoticed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fetched := 0
		c := NewTokenCache(func(context.Context) (Token, error) {
			fetched++
			time.Sleep(time.Second)
			return Token{Value: string(rune('a' + fetched - 1)), Expires: time.Now().Add(time.Hour)}, nil
		})
		var wait sync.WaitGroup
		for range 20 {
			wait.Go(func() {
				if token, err := c.Get(t.Context()); token != "a" || err != nil {
					t.Errorf("token is %q (%v)", token, err)
				}
			})
		}
		wait.Wait()
		time.Sleep(time.Hour - time.Minute)
		if token, _ := c.Get(t.Context()); token != "a" {
			t.Errorf("a request that need not wait got %q", token)
		}
		synctest.Wait()
		time.Sleep(2 * time.Second)
		if token, _ := c.Get(t.Context()); token != "b" || fetched != 2 {
			t.Errorf("token is %q after %d fetches", token, fetched)
		}
	})
}

func TestATokenThatCannotBeFetched(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		failure := errors.New("no")
		fetched := 0
		c := NewTokenCache(func(context.Context) (Token, error) {
			if fetched++; fetched == 1 {
				return Token{Value: "a", Expires: time.Now().Add(time.Minute)}, nil
			}
			return Token{}, failure
		})
		for range 5 { // it is good for less than it takes to be renewed early
			if token, err := c.Get(t.Context()); token != "a" || err != nil {
				t.Errorf("token is %q (%v)", token, err)
			}
			synctest.Wait()
		}
		if fetched > 2 {
			t.Errorf("%d fetches in no time", fetched)
		}
		time.Sleep(time.Minute)
		if _, err := c.Get(t.Context()); !errors.Is(err, failure) {
			t.Errorf("error is %v", err)
		}
		for range 5 {
			if _, err := c.Get(t.Context()); !errors.Is(err, failure) {
				t.Errorf("error is %v", err)
			}
		}
		if fetched != 2 {
			t.Errorf("%d fetches, want no other so soon after one that failed", fetched)
		}
		time.Sleep(2 * time.Second)
		if _, err := c.Get(t.Context()); !errors.Is(err, failure) || fetched != 3 {
			t.Errorf("error is %v after %d fetches", err, fetched)
		}
		gone, cancel := context.WithCancel(t.Context())
		cancel()
		if _, err := NewTokenCache(func(ctx context.Context) (Token, error) {
			time.Sleep(time.Second)
			return Token{}, ctx.Err()
		}).Get(gone); !errors.Is(err, context.Canceled) {
			t.Errorf("error is %v", err)
		}
		time.Sleep(2 * time.Second)
	})
}
