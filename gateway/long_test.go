package gateway_test

import "os"

// asksForLong tells that the longer proofs are asked for, by LLMPROXY_LONG.
func asksForLong() bool { return os.Getenv("LLMPROXY_LONG") != "" }
