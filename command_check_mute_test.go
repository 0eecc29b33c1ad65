package llmproxy

import (
	"encoding/json"
	"testing"

	"github.com/caddyserver/caddy/v2"
)

// A look at a config must not make, change or fill the log files of an instance that runs.
func TestCheckWritesNoLogFiles(t *testing.T) {
	var config caddy.Config
	text := `{"logging":{"sink":{"writer":{"output":"file","filename":"sink.log"}},"logs":{"default":{"writer":{"output":"file","filename":"a.log"}},"b":{"writer":{"output":"net","address":"b:1"}},"c":{}}}}`
	if err := json.Unmarshal([]byte(text), &config); err != nil {
		t.Fatal(err)
	}
	mute(&config)
	for name, writer := range map[string]json.RawMessage{
		"sink": config.Logging.Sink.WriterRaw, "default": config.Logging.Logs["default"].WriterRaw, "b": config.Logging.Logs["b"].WriterRaw,
	} {
		if string(writer) != `{"output":"discard"}` {
			t.Errorf("%s is written to %s", name, writer)
		}
	}
	if c := config.Logging.Logs["c"]; c.WriterRaw != nil || c.Level != "ERROR" {
		t.Errorf("what goes to the terminal is %s of level %s", c.WriterRaw, c.Level)
	}
}
