// Package limits holds callers to what they may use: requests, tokens, calls at
// the same time, money.
//
// A call is reserved before it is made and settled after. [Store.Reserve] checks
// every limit that a call meets and charges all of them or none; [Store.Settle]
// replaces the estimate by what was used, which may exceed the limit (a debt that
// later calls wait for); [Store.Release] gives back what a call that never happened had
// reserved. A reservation that nobody settles stays charged with its estimate: a
// crash is billed, never free. What calls hold at the same time are leases that end by
// themselves unless they are renewed.
//
// # How windows are counted
//
// A window of a fixed length (second, minute, hour, any duration) slides: it is
// divided in 60 slots, and a charge counts in the slot of its time until the whole slot
// has left the window. So 60 requests per minute may come all at once, no span of
// a minute ever admits more than 60, and after a refusal a caller waits at most one
// slot (a second of a minute) longer than an exact log of all calls would make it.
// GCRA costs less memory, but either spreads the calls of a minute (60 at once are
// refused) or admits nearly twice the limit in some minute; a log of all calls is exact
// and as large as the limit. Sixty slots are 500 bytes, whatever the limit.
//
// day, week and month are calendar periods in UTC, weeks from Monday: one count that
// starts again with the period.
//
// Counts know nothing of limits: amounts come with each call. A limit that a reload
// lowers or raises therefore applies to what was used already. Everything is an
// integer below 2^53, which is where the numbers of Redis scripts end.
//
// # Stores
//
// [Memory] counts in the process, and can keep long counts in a file. [Redis] counts for
// several instances, one script per step. Both pass the same tests. [Limiter]
// is what a gateway uses: a store, with waiting in line and renewal of leases.
package limits
