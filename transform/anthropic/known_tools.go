package anthropic

import (
	"strings"

	"github.com/caddyllm/llmproxy/internal/jsonbytes"
	"github.com/caddyllm/llmproxy/transform"
)

// Anthropic's models know some tools that the client runs without being told
// what they take. Any other model is told with these words and schemas, which
// follow the documented inputs.
// https://docs.claude.com/en/docs/agents-and-tools/tool-use/overview

// knownTool returns what a tool of Anthropic's takes, by the type under which
// its versions are named. It is false for tools that need more than words, such
// as a screen that the model must have been trained to see.
func knownTool(kind string) (transform.Tool, bool) {
	for _, k := range knownTools {
		if strings.HasPrefix(kind, k.prefix) {
			return transform.Tool{Description: transform.Quote(k.description), Schema: jsonbytes.Value(k.schema)}, true
		}
	}
	return transform.Tool{}, false
}

var knownTools = [...]struct{ prefix, description, schema string }{
	{"bash_", "Runs a command in a bash shell that keeps its state from call to call, and returns what it printed.",
		`{"type":"object","properties":{` +
			`"command":{"type":"string","description":"The command to run. Required unless restart is true."},` +
			`"restart":{"type":"boolean","description":"True to start the shell anew."}}}`},
	{"text_editor_", "Looks at text files and changes them.",
		`{"type":"object","properties":{` +
			`"command":{"type":"string","enum":["view","create","str_replace","insert"],"description":"What to do."},` +
			`"path":{"type":"string","description":"The file or directory."},` +
			`"file_text":{"type":"string","description":"For create: the whole content of the new file."},` +
			`"old_str":{"type":"string","description":"For str_replace: the text to replace. It must occur exactly once."},` +
			`"new_str":{"type":"string","description":"For str_replace: the text in its place."},` +
			`"insert_line":{"type":"integer","description":"For insert: the line behind which to insert, 0 for the beginning."},` +
			`"insert_text":{"type":"string","description":"For insert: the text to insert."},` +
			`"view_range":{"type":"array","items":{"type":"integer"},"description":"For view: the first and the last line, counted from 1; -1 is the end."}},` +
			`"required":["command","path"]}`},
	{"memory_", "Keeps notes in files under /memories, which last longer than this conversation. Look there before you begin.",
		`{"type":"object","properties":{` +
			`"command":{"type":"string","enum":["view","create","str_replace","insert","delete","rename"],"description":"What to do."},` +
			`"path":{"type":"string","description":"The file or directory, but for rename."},` +
			`"file_text":{"type":"string","description":"For create: the whole content of the new file."},` +
			`"old_str":{"type":"string","description":"For str_replace: the text to replace. It must occur exactly once."},` +
			`"new_str":{"type":"string","description":"For str_replace: the text in its place."},` +
			`"insert_line":{"type":"integer","description":"For insert: the line behind which to insert, 0 for the beginning."},` +
			`"insert_text":{"type":"string","description":"For insert: the text to insert."},` +
			`"view_range":{"type":"array","items":{"type":"integer"},"description":"For view: the first and the last line, counted from 1; -1 is the end."},` +
			`"old_path":{"type":"string","description":"For rename: the path as it is."},` +
			`"new_path":{"type":"string","description":"For rename: the path as it is to be."}},` +
			`"required":["command"]}`},
}
