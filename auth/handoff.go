package auth

import (
	"context"
	"errors"
	"net/http"
)

// handoff is what an earlier handler found out. The secret stays with it for an
// authenticator of other keys, and is nowhere else in the request.
type handoff struct {
	by        *Authenticator
	principal *Principal
	secret    string
}

type handoffKey struct{}

func handedOn(r *http.Request) *handoff {
	handed, _ := r.Context().Value(handoffKey{}).(*handoff)
	return handed
}

// Early authenticates a request before others, who may yet identify the caller,
// have seen it. Without a principal and an error it is too early to say.
func (a *Authenticator) Early(r *http.Request) (*Principal, error) {
	p, err := a.Authenticate(r)
	if a.identity == nil {
		return p, err
	}
	if p != nil && p.Anonymous || errors.Is(err, ErrNoCredential) || errors.Is(err, errForeign) {
		return nil, nil
	}
	return p, err
}

// HandOn takes the credential out of a request and returns the request for the
// handlers that follow. Only an authenticator can see who it is.
func (a *Authenticator) HandOn(r *http.Request, p *Principal) *http.Request {
	handed := &handoff{by: a, principal: p, secret: findCredential(r, a.identity != nil).secret}
	strip(r, a.identity != nil)
	return r.WithContext(context.WithValue(r.Context(), handoffKey{}, handed))
}
