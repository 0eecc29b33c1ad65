package limits

import "time"

// Rules are limits as a config says them, for one subject or for each of several.
type Rules struct {
	Limits []Limit
	// Wait is how long a call may wait for its turn, Length how many may; 0: none waits.
	Wait   time.Duration
	Length int
	// Unpriced lets calls pass under a budget although nobody knows what they cost.
	Unpriced bool
}

// Has tells whether there is a limit of a kind. Nil rules have none.
func (r *Rules) Has(kind Kind) bool {
	if r == nil {
		return false
	}
	for i := range r.Limits {
		if r.Limits[i].Kind == kind {
			return true
		}
	}
	return false
}

// Quota is what one subject may use. It does not change.
type Quota struct {
	*Rules
	Scope Scope
	// ID is the subject's, as users know it.
	ID      string
	buckets []Bucket
}

// Quota makes the quota of a subject. place tells subjects of one id apart that
// different parts of a config have; id alone is shown. Rules that say nothing make none.
func (r *Rules) Quota(scope Scope, place, id string) *Quota {
	if r == nil || len(r.Limits) == 0 && r.Wait == 0 {
		return nil
	}
	q := &Quota{Rules: r, Scope: scope, ID: id, buckets: make([]Bucket, len(r.Limits))}
	subject := place + "\x00" + id
	for i := range r.Limits {
		q.buckets[i] = NewBucket(scope, subject, &r.Limits[i])
	}
	return q
}

// Claim asks for a part of one of the limits.
func (q *Quota) Claim(i int, cost int64) Claim {
	return Claim{Bucket: q.buckets[i], Limit: &q.Limits[i], Cost: cost}
}

// Cost is what a call takes of each kind of limit.
type Cost struct {
	Tokens int64
	Money  int64 // nano-dollars
}

// Of is the cost for a kind of limit.
func (c Cost) Of(kind Kind) int64 {
	switch kind {
	case Tokens:
		return c.Tokens
	case Money:
		return c.Money
	}
	return 1
}

// AppendClaims appends a claim on every limit. A nil quota has none.
func (q *Quota) AppendClaims(to []Claim, cost Cost) []Claim {
	if q == nil {
		return to
	}
	for i := range q.Limits {
		to = append(to, q.Claim(i, cost.Of(q.Limits[i].Kind)))
	}
	return to
}

// Only is the quota with the limits of one kind alone.
func (q *Quota) Only(kind Kind) *Quota {
	rules := *q.Rules
	rules.Limits = nil
	only := &Quota{Rules: &rules, Scope: q.Scope, ID: q.ID}
	for i := range q.Limits {
		if q.Limits[i].Kind == kind {
			rules.Limits = append(rules.Limits, q.Limits[i])
			only.buckets = append(only.buckets, q.buckets[i])
		}
	}
	return only
}
