// Package jsonbytes reads and edits JSON where it lies: in a byte slice, without building a tree.
//
// [Scan] validates a request body completely, once, and finds its top-level members in the same pass.
// Everything after that is cheap: a [Value] is the raw text of one value and walks its parts on demand,
// a [Patch] replaces members and leaves every other byte as the sender wrote it.
//
// Nothing here copies the text it is given; spans, values and keys point into it.
package jsonbytes
