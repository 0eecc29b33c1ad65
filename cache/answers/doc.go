// Package answers caches whole answers of models.
//
// A [Question] is a request with all that may change its answer; its [Key] is the
// only way to an answer, and begins with whose it is. [Examine] and [Rules] say what
// may be stored, a [Control] what the client wants of it, an [Entry] is what is
// stored, a [Store] where, and [Flights] let callers who ask the same at the same
// time share one call. None of it knows HTTP handlers or the network, but for the
// store in Redis.
package answers
