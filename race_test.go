//go:build race

package llmproxy_test

const raceDetector = true
