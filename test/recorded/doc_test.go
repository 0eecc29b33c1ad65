// Package recorded_test runs recorded exchanges with providers through the
// gateway: a replay server answers for the provider, and what a client of each
// format reads must be what the recording says. Readers and grammars here know
// nothing of the project's codecs. LLMPROXY_FIXTURES names the folder of
// recordings; without it all that needs them is skipped. With go test -v the
// table of clients, providers and features is printed, passed checks of all:
//
//	LLMPROXY_FIXTURES=<folder> go test -v -run EveryRecording ./test/recorded
package recorded_test
