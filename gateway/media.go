package gateway

import (
	"context"
	"encoding/base64"
	"strings"
	"time"

	"github.com/caddyllm/llmproxy/transform"
)

// MediaFetcher fetches images and files that a request names by URL, for
// providers that take none. Its errors are for the operator.
type MediaFetcher interface {
	Fetch(ctx context.Context, url string) (mediaType string, data []byte, err error)
}

// maxFetched bounds the media that one request may have fetched.
const maxFetched = 20

// fetchMedia replaces the URLs at the given places by what they hold. It tells
// whether there were any. All together may be as large and take as long as the
// request itself may.
func (a *attempt) fetchMedia(places []string) (fetched bool, _ error) {
	ctx, cancel := context.WithDeadline(a.r.Context(), a.record.Start.Add(a.g.Limits.Total))
	defer cancel()
	count, left := 0, a.g.Limits.Body
	for t := range a.decoded.chat.Turns {
		parts := a.decoded.chat.Turns[t].Parts
		for p := range parts {
			m := &parts[p].Media
			if m.URL == "" || m.Data != nil || !concerns(parts[p].At.Pointer(), places) {
				continue
			}
			if count++; count > maxFetched {
				return fetched, errTooMuchMedia
			}
			begin := time.Now()
			mediaType, data, err := a.g.Media.Fetch(ctx, m.URL)
			a.record.Waited += time.Since(begin)
			if err != nil {
				a.record.Cause = err.Error()
				return fetched, mediaNotFetched(parts[p].At.Pointer())
			}
			if left -= int64(base64.StdEncoding.EncodedLen(len(data))); left < 0 {
				return fetched, errTooMuchMedia
			}
			m.Type, m.Data = mediaType, base64.StdEncoding.AppendEncode(nil, data)
			fetched = true
		}
	}
	return fetched, nil
}

// concerns tells whether one of the places is the pointer's, or inside of it.
func concerns(pointer string, places []string) bool {
	for _, place := range places {
		if rest, ok := strings.CutPrefix(place, pointer); ok && (rest == "" || rest[0] == '/') {
			return true
		}
	}
	return false
}

var errTooMuchMedia = &transform.Error{
	Kind: transform.ErrBadRequest, Code: "too_many_media", NoRetry: true,
	Message: "The request names more images or files by URL than this gateway fetches: send fewer, or send them as data.",
}

func mediaNotFetched(pointer string) *transform.Error {
	return &transform.Error{
		Kind: transform.ErrBadRequest, Code: "media_not_fetched", Param: pointer, NoRetry: true,
		Message: "The image or file at " + pointer + " could not be fetched: send it as data, or check its URL, which must be public and https.",
	}
}
