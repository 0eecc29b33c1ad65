package gemini

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/caddyllm/llmproxy/internal/jsonbytes"
	"github.com/caddyllm/llmproxy/transform"
)

// decode reads a client's request.
func decode(t *testing.T, body string) (*transform.Request, *transform.Losses) {
	t.Helper()
	if _, err := jsonbytes.Scan(nil, []byte(body), 0); err != nil {
		t.Fatalf("%v: %s", err, body)
	}
	var lost transform.Losses
	r, err := Codec{}.DecodeRequest([]byte(body), &lost)
	if err != nil {
		t.Fatalf("%v: %s", err, body)
	}
	return r, &lost
}

// outline writes a conversation in short, one turn a line.
func outline(r *transform.Request) string {
	var out strings.Builder
	roles := map[transform.Role]string{
		transform.RoleUser: "user", transform.RoleAssistant: "model", transform.RoleTool: "tool", transform.RoleSystem: "system",
	}
	for i := range r.Turns {
		turn := &r.Turns[i]
		out.WriteString(roles[turn.Role])
		if turn.Role == transform.RoleTool {
			fmt.Fprintf(&out, " %s %s", turn.CallID, turn.ToolName)
			if turn.IsError {
				out.WriteString(" failed")
			}
		}
		out.WriteString(":")
		for j := range turn.Parts {
			out.WriteString(" " + outlinePart(&turn.Parts[j]))
		}
		out.WriteString("\n")
	}
	return out.String()
}

func outlinePart(p *transform.Part) string {
	text := ""
	switch p.Kind {
	case transform.PartText:
		text = "text " + string(p.Text)
	case transform.PartReasoning:
		text = "thought " + string(p.Text)
	case transform.PartToolCall:
		text = fmt.Sprintf("call %s %s(%s)", p.Call.ID, p.Call.Name, p.Call.Arguments)
	default:
		kind := map[transform.PartKind]string{transform.PartImage: "image", transform.PartFile: "file", transform.PartAudio: "audio"}[p.Kind]
		m := &p.Media
		text = strings.Join(strings.Fields(fmt.Sprint(kind, " ", m.Type, " ", string(m.Data), " ", m.URL, " ", m.Name, " ", m.Detail)), " ")
	}
	if o := &p.Opaque; o.Kind != transform.OpaqueNone {
		text += fmt.Sprintf(" <%s %d %s%s>", o.Vendor, o.Kind, o.ID, o.Data)
	}
	return "[" + text + "]"
}

// sealedBy is a piece of a vendor's as clients of this format keep it.
func sealedBy(vendor transform.Vendor, kind transform.OpaqueKind, data string) string {
	o := transform.Opaque{Vendor: vendor, Kind: kind, Data: transform.Quote(data)}
	return string(o.Seal(home))
}

func TestClientContents(t *testing.T) {
	claude := sealedBy(transform.VendorAnthropic, transform.OpaqueSignature, "sig>>?")
	forURLs := strings.NewReplacer("+", "-", "/", "_").Replace(claude)
	hidden := sealedBy(transform.VendorAnthropic, transform.OpaqueRedacted, "red")
	for _, test := range []struct{ name, body, want, dropped, refused string }{
		{"roles and texts", `{"contents":[{"role":"user","parts":[{"text":"a"},{"text":"b"}]},{"role":"model","parts":[{"text":"c"}]},{"parts":[{"text":"d"}]}]}`,
			"user: [text \"a\"] [text \"b\"]\nmodel: [text \"c\"]\nuser: [text \"d\"]\n", "", ""},
		{"one content, one part", `{"contents":{"parts":{"text":"a"}}}`, "user: [text \"a\"]\n", "", ""},
		{"a string", `{"contents":"a"}`, "user: [text \"a\"]\n", "", ""},
		{"strings", `{"contents":["a",{"role":"model","parts":["b"]}]}`, "user: [text \"a\"]\nmodel: [text \"b\"]\n", "", ""},
		{"a part alone", `{"contents":[{"text":"a"}]}`, "user: [text \"a\"]\n", "", ""},
		{"instruction", `{"systemInstruction":{"role":"user","parts":[{"text":"s","thought":false},{"text":""}]},"contents":["a"]}`,
			"system: [text \"s\"]\nuser: [text \"a\"]\n", "", ""},
		{"instruction as text", `{"contents":["a"],"system_instruction":"s"}`, "system: [text \"s\"]\nuser: [text \"a\"]\n", "", ""},
		{"instruction as part", `{"contents":["a"],"systemInstruction":{"text":"s"}}`, "system: [text \"s\"]\nuser: [text \"a\"]\n", "", ""},
		{"instruction with an image", `{"contents":["a"],"systemInstruction":{"parts":[{"inlineData":{"mimeType":"image/png","data":"AA"}}]}}`,
			"user: [text \"a\"]\n", "/systemInstruction/parts/0/inlineData", "/systemInstruction/parts/0/inlineData"},
		{"empty parts and contents", `{"contents":[{"role":"user","parts":[]},{"role":"user"},{"role":"user","parts":[{},{"text":""},{"text":"a"}]}]}`,
			"user: [text \"a\"]\n", "", ""},
		{"media", `{"contents":[{"parts":[{"inlineData":{"mimeType":"image/png","data":"-_A","displayName":"n.png"},"mediaResolution":{"level":"MEDIA_RESOLUTION_LOW"}},
			{"inline_data":{"mime_type":"audio/mp3","data":"A\/A"}},{"inlineData":{"mimeType":"application/pdf","data":"QQ"}},
			{"fileData":{"mimeType":"video/mp4","fileUri":"https://youtu.be/x"},"videoMetadata":{"fps":1}},{"file_data":{"file_uri":"gs://b/c.jpg"}},
			{"inlineData":{"data":"iVBORw0KGgoAAAA"}}]}]}`,
			`user: [image image/png +/A n.png low] [audio audio/mp3 A/A] [file application/pdf QQ] [file video/mp4 https://youtu.be/x] ` +
				"[image image/jpeg gs://b/c.jpg] [image image/png iVBORw0KGgoAAAA]\n", "/contents/0/parts/3/videoMetadata", ""},
		{"code that was run", `{"contents":[{"role":"model","parts":[{"executableCode":{"language":"PYTHON","code":"x"}},{"codeExecutionResult":{"outcome":"OUTCOME_OK","output":"y"}},{"toolCall":{"id":"1"}}]}]}`,
			"model: [text \"```python\\nx\\n```\\n\"] [text \"```\\ny\\n```\\n\"]\n",
			"/contents/0/parts/0/executableCode /contents/0/parts/1/codeExecutionResult /contents/0/parts/2/toolCall", ""},

		{"calls with ids, results in another order", `{"contents":[{"role":"model","parts":[{"functionCall":{"id":"x","name":"f","args":{"a": 1}}},{"functionCall":{"id":"y","name":"f"}}]},
			{"role":"user","parts":[{"functionResponse":{"id":"y","name":"f","response":{"output":"2"}}},{"text":"t"},{"functionResponse":{"id":"x","name":"f","response":{"b":[1, 2]}}}]}]}`,
			"model: [call x f({\"a\":1})] [call y f()]\ntool y f: [text \"2\"]\ntool x f: [text \"{\\\"b\\\":[1,2]}\"]\nuser: [text \"t\"]\n", "", ""},
		{"calls without ids go by name, in their order", `{"contents":["q",{"role":"model","parts":[{"functionCall":{"name":"f"}},{"functionCall":{"name":"g"}},{"functionCall":{"name":"f"}}]},
			{"role":"function","parts":[{"functionResponse":{"name":"g","response":{}}},{"functionResponse":{"name":"f","response":{"output":"1"}}},{"functionResponse":{"name":"f","response":{"output":"2"}}}]}]}`,
			"user: [text \"q\"]\nmodel: [call call_1_0 f()] [call call_1_1 g()] [call call_1_2 f()]\n" +
				"tool call_1_1 g: [text \"{}\"]\ntool call_1_0 f: [text \"1\"]\ntool call_1_2 f: [text \"2\"]\n", "", ""},
		{"a result finds the call of its own batch", `{"contents":[{"role":"model","parts":[{"functionCall":{"name":"f"}}]},{"parts":[{"text":"no"}]},
			{"role":"model","parts":[{"functionCall":{"name":"f"}}]},{"parts":[{"functionResponse":{"name":"f"}}]},{"parts":[{"functionResponse":{"name":"f","response":{"output":"z"}}}]}]}`,
			"model: [call call_0_0 f()]\nuser: [text \"no\"]\nmodel: [call call_2_0 f()]\ntool call_2_0 f: [text \"\"]\ntool call_4_0 f: [text \"z\"]\n", "", ""},
		{"an unknown id is the call's by name", `{"contents":[{"parts":[{"functionCall":{"name":"f"}}]},{"parts":[{"functionResponse":{"id":"z","name":"f","response":{"error":"no"}}},
			{"functionResponse":{"id":"zz","name":"f","response":{"error":{"code":1},"x":2}}}]}]}`,
			"model: [call call_0_0 f()]\ntool call_0_0 f failed: [text \"no\"]\ntool zz f failed: [text \"{\\\"error\\\":{\\\"code\\\":1},\\\"x\\\":2}\"]\n", "", ""},
		{"results that are no failures", `{"contents":[{"parts":[{"functionResponse":{"name":"f","response":{"error":null,"output":[1]}}},{"functionResponse":{"name":"f","response":{"result":"r"}}}]}]}`,
			"tool call_0_0 f: [text \"[1]\"]\ntool call_0_1 f: [text \"{\\\"result\\\":\\\"r\\\"}\"]\n", "", ""},
		{"results with images", `{"contents":[{"role":"model","parts":[{"functionCall":{"name":"f"}}]},{"parts":[{"functionResponse":{"name":"f","response":{"output":"o"},"willContinue":false,
			"parts":[{"inlineData":{"mimeType":"image/png","data":"AA"}},{"x":{}}]}}]}]}`,
			"model: [call call_0_0 f()]\ntool call_0_0 f: [text \"o\"] [image image/png AA]\n",
			"/contents/1/parts/0/functionResponse/willContinue /contents/1/parts/0/functionResponse/parts/1/x /contents/1/parts/0/functionResponse/parts/1",
			"/contents/1/parts/0/functionResponse/parts/1"},
		{"a user calls nothing", `{"contents":[{"role":"user","parts":[{"text":"a"},{"functionCall":{"name":"f"}}]}]}`, "user: [text \"a\"]\n",
			"/contents/0/parts/1/functionCall", "/contents/0/parts/1/functionCall"},

		{"Google's signatures stay where they are", `{"contents":[{"role":"model","parts":[{"text":"h","thought":true},{"text":"t","thoughtSignature":"S1"},
			{"functionCall":{"name":"f"},"thought_signature":"S_2"},{"text":"","thoughtSignature":"S3"},{"inlineData":{"mimeType":"image/png","data":"AA"},"thoughtSignature":"S4"},{"thoughtSignature":"S5"}]}]}`,
			"model: [thought \"h\"] [text \"t\" <google 1 \"S1\">] [call call_0_0 f() <google 1 \"S_2\">] [thought  <google 1 \"S3\">] " +
				"[image image/png AA <google 1 \"S4\">] [thought  <google 1 \"S5\">]\n", "", ""},
		{"a thought in pieces is one up to its signature", `{"contents":[{"role":"model","parts":[{"text":"a","thought":true}]},{"role":"model","parts":[{"text":"b","thought":true}]},
			{"role":"model","parts":[{"text":"c","thought":true,"thoughtSignature":` + claude + `}]},{"role":"model","parts":[{"text":"d","thought":true},{"text":"x"}]},{"role":"model","parts":[{"text":"y"},{"text":"z"}]}]}`,
			"model: [thought \"abc\" <anthropic 1 \"sig>>?\">] [thought \"d\"] [text \"xy\"] [text \"z\"]\n", "", ""},
		{"foreign pieces find back to reasoning", `{"contents":[{"role":"model","parts":[{"text":"a","thought":true},{"text":"","thought":true,"thoughtSignature":` + forURLs + `},
			{"text":"t","thoughtSignature":` + hidden + `},{"functionCall":{"name":"f"},"thoughtSignature":` + claude + `}]}]}`,
			"model: [thought \"a\" <anthropic 1 \"sig>>?\">] [thought  <anthropic 2 \"red\">] [text \"t\"] [thought  <anthropic 1 \"sig>>?\">] [call call_0_0 f()]\n", "", ""},
		{"unknown members", `{"contents":[{"role":"user","parts":[{"text":"a","x":1}],"y":2}],"z":3}`, "user: [text \"a\"]\n", "/z /contents/0/y /contents/0/parts/0/x", ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			r, lost := decode(t, test.body)
			if got := outline(r); got != test.want {
				t.Errorf("got\n%swant\n%s", got, test.want)
			}
			sameLosses(t, lost, test.dropped, test.refused)
		})
	}
}

// ask is a request with further members.
func ask(members string) string { return `{"contents":["q"]` + members + `}` }

func TestClientConfig(t *testing.T) {
	for _, test := range []struct{ name, members, want, dropped, refused string }{
		{"sampling", `,"generationConfig":{"temperature":0.20,"topP":1,"topK":40,"candidateCount":2,"maxOutputTokens":"9","stopSequences":["a","b"],"seed":7,"presencePenalty":0.1,"frequencyPenalty":-1}`,
			`temperature 0.20 top_p 1 top_k 40 n 2 max 9 stop "a" stop "b" seed 7 presence 0.1 frequency -1`, "", ""},
		{"in snake case", `,"generation_config":{"top_p":1,"max_output_tokens":9,"stop_sequences":"a"}`, `top_p 1 max 9 stop "a"`, "", ""},
		{"null is absent", `,"generationConfig":{"temperature":null,"thinkingConfig":null},"tools":null,"toolConfig":null,"safetySettings":null`, "", "", ""},
		{"logprobs", `,"generationConfig":{"responseLogprobs":true,"logprobs":3}`, "logprobs 3", "", ""},
		{"JSON", `,"generationConfig":{"responseMimeType":"application/json"}`, "output 2", "", ""},
		{"text", `,"generationConfig":{"responseMimeType":"text/plain","responseSchema":{}}`, "output 1", "/generationConfig/responseSchema", ""},
		{"enum", `,"generationConfig":{"responseMimeType":"text/x.enum","responseSchema":{"type":"STRING","enum":["a"]}}`, "",
			"/generationConfig/responseMimeType", "/generationConfig/responseMimeType"},
		{"Google's schema", `,"generationConfig":{"response_mime_type":"application/json","response_schema":{"type":"OBJECT"}}`, `output 3 {"type":"object"}`, "", ""},
		{"JSON Schema wins", `,"generationConfig":{"responseJsonSchema":{"type":"array"},"responseSchema":{"type":"OBJECT"}}`, `output 3 {"type":"array"}`, "/generationConfig/responseSchema", ""},
		{"JSON Schema wins, either way", `,"generationConfig":{"responseSchema":{"type":"OBJECT"},"responseJsonSchema":{"type":"array"}}`, `output 3 {"type":"array"}`, "/generationConfig/responseSchema", ""},
		{"thoughts", `,"generationConfig":{"thinkingConfig":{"includeThoughts":true,"thinkingBudget":-1}}`, "shown", "", ""},
		{"budget", `,"generationConfig":{"thinkingConfig":{"thinkingBudget":1024}}`, "budget 1024", "", ""},
		{"no thinking", `,"generationConfig":{"thinkingConfig":{"thinking_budget":0}}`, "effort none", "", ""},
		{"level", `,"generationConfig":{"thinkingConfig":{"thinkingLevel":"high","x":1}}`, "effort high", "/generationConfig/thinkingConfig/x", ""},
		{"unknown level", `,"generationConfig":{"thinkingConfig":{"thinkingLevel":"LOTS"}}`, "", "/generationConfig/thinkingConfig/thinkingLevel", ""},
		{"text only", `,"generationConfig":{"responseModalities":["TEXT"]}`, "", "", ""},
		{"images", `,"generationConfig":{"responseModalities":["TEXT","Image"]}`, `modalities ["text","image"]`, "", ""},
		{"speech", `,"generationConfig":{"responseModalities":["AUDIO"],"speechConfig":{},"mediaResolution":"X"}`, "",
			"/generationConfig/responseModalities/0 /generationConfig/speechConfig /generationConfig/mediaResolution", "/generationConfig/responseModalities/0"},
		{"the rest", `,"safetySettings":[{"category":"C"}],"cached_content":"cachedContents/x","labels":{"a":"b"},"store":true,"serviceTier":"flex","model":"models/m","modelArmorConfig":{}`,
			`model m tier flex safetySettings [{"category":"C"}] cached_content "cachedContents/x" labels {"a":"b"} store true`, "/modelArmorConfig", ""},
		{"standard tier", `,"service_tier":"standard"`, "tier default", "", ""},
		{"a tier of tomorrow", `,"serviceTier":"turbo"`, "", "/serviceTier", ""},
		{"continued", `,"continuationToken":"x"`, "", "/continuationToken", "/continuationToken"},
	} {
		t.Run(test.name, func(t *testing.T) {
			r, lost := decode(t, ask(test.members))
			if got := settings(r); got != test.want {
				t.Errorf("got  %s\nwant %s", got, test.want)
			}
			sameLosses(t, lost, test.dropped, test.refused)
		})
	}
}

// settings writes what a request says beside its conversation.
func settings(r *transform.Request) string {
	var out []string
	add := func(name string, value any, given bool) {
		if given {
			out = append(out, strings.TrimSpace(fmt.Sprintf("%s %v", name, value)))
		}
	}
	value := func(name string, v jsonbytes.Value) { add(name, string(v), v != nil) }
	s := &r.Sampling
	add("model", r.Model, r.Model != "")
	add("tier", r.ServiceTier, r.ServiceTier != "")
	value("temperature", s.Temperature)
	value("top_p", s.TopP)
	value("top_k", s.TopK)
	add("n", s.N, s.N != 0)
	add("max", s.MaxTokens, s.MaxTokens != 0)
	for _, stop := range s.Stop {
		value("stop", stop)
	}
	value("seed", s.Seed)
	value("presence", s.PresencePenalty)
	value("frequency", s.FrequencyPenalty)
	add("logprobs", r.TopLogprobs, r.Logprobs)
	add("output", strings.TrimSpace(fmt.Sprintf("%d %s", r.Output.Kind, r.Output.Schema)), r.Output.Kind != 0)
	add("effort", r.Reasoning.Effort, r.Reasoning.Effort != "")
	add("budget", r.Reasoning.Budget, r.Reasoning.Budget != 0)
	add("shown", "", r.Reasoning.Summary)
	for _, m := range r.Rest {
		value(m.Name, m.Value)
	}
	return strings.Join(out, " ")
}

func TestClientTools(t *testing.T) {
	r, lost := decode(t, ask(`,"tools":[{"functionDeclarations":[
		{"name":"f","description":"does f","parameters":{"type":"OBJECT","properties":{"a":{"type":"STRING","nullable":true}}},"response":{"type":"STRING"},"behavior":"BLOCKING"},
		{"name":"g","parametersJsonSchema":{"type":"object"},"parameters":{}},{"name":"h"}]},
		{"google_search":{"timeRangeFilter":{}}},{"googleSearchRetrieval":{}},{"codeExecution":{}},{"urlContext":{}},{"unheardOf":{}},{"computerUse":{}}]`))
	want := []string{`f "does f" {"type":"object","properties":{"a":{"type":["string","null"]}}}`, `g  {"type":"object"}`, `h  `}
	for i, tool := range r.Tools {
		if got := tool.Name + " " + string(tool.Description) + " " + string(tool.Schema); got != want[i] {
			t.Errorf("got %s, want %s", got, want[i])
		}
	}
	if len(r.Tools) != len(want) || settings(r) != "web_search_options {}" {
		t.Errorf("%d tools, %s", len(r.Tools), settings(r))
	}
	if at := r.Tools[1].At.Pointer(); at != "/tools/0/functionDeclarations/1" {
		t.Errorf("at %s", at)
	}
	sameLosses(t, lost, "/tools/0/functionDeclarations/0/response /tools/0/functionDeclarations/0/behavior /tools/0/functionDeclarations/1/parameters "+
		"/tools/1/google_search/timeRangeFilter /tools/6/computerUse /tools/3/codeExecution /tools/4/urlContext /tools/5/unheardOf", "/tools/6/computerUse")
	for _, alone := range []string{`,"tools":[{"codeExecution":{}}]`, `,"tools":[{"codeExecution":{}},{"functionDeclarations":[{"name":"f"}]}],"toolConfig":{"functionCallingConfig":{"mode":"ANY"}}`} {
		_, lost := decode(t, ask(alone))
		sameLosses(t, lost, "/tools/0/codeExecution", "/tools/0/codeExecution")
	}
}

func TestClientToolConfig(t *testing.T) {
	for _, test := range []struct{ config, want, dropped string }{
		{`{}`, "{0  []}", ""},
		{`{"functionCallingConfig":{}}`, "{0  []}", ""},
		{`{"functionCallingConfig":{"mode":"MODE_UNSPECIFIED"}}`, "{0  []}", ""},
		{`{"functionCallingConfig":{"mode":"AUTO"}}`, "{1  []}", ""},
		{`{"function_calling_config":{"mode":"auto","allowed_function_names":["f"]}}`, "{1  [f]}", ""},
		{`{"functionCallingConfig":{"mode":3}}`, "{2  []}", ""},
		{`{"functionCallingConfig":{"mode":"NONE","allowedFunctionNames":["f"]}}`, "{2  []}", "/toolConfig/functionCallingConfig/allowedFunctionNames"},
		{`{"functionCallingConfig":{"mode":"ANY"}}`, "{3  []}", ""},
		{`{"functionCallingConfig":{"mode":"ANY","allowedFunctionNames":["f"]}}`, "{4 f []}", ""},
		{`{"functionCallingConfig":{"mode":"ANY","allowedFunctionNames":["f","g"]}}`, "{3  [f g]}", ""},
		{`{"functionCallingConfig":{"mode":"VALIDATED"}}`, "{1  []}", "/toolConfig/functionCallingConfig/mode"},
		{`{"functionCallingConfig":{"mode":"VALIDATED","allowedFunctionNames":["f"],"streamFunctionCallArguments":true}}`, "{1  [f]}",
			"/toolConfig/functionCallingConfig/streamFunctionCallArguments"},
		{`{"retrievalConfig":{"languageCode":"en"},"includeServerSideToolInvocations":true}`, "{0  []}", "/toolConfig/retrievalConfig /toolConfig/includeServerSideToolInvocations"},
	} {
		r, lost := decode(t, ask(`,"toolConfig":`+test.config))
		if got := fmt.Sprint(r.ToolChoice); got != test.want {
			t.Errorf("%s: got %s, want %s", test.config, got, test.want)
		}
		sameLosses(t, lost, test.dropped, "")
	}
}

func TestGoogleSchemas(t *testing.T) {
	for _, test := range []struct{ schema, want string }{
		{`{}`, `{}`},
		{`{"type": "STRING", "format": "enum", "enum": ["a","b"]}`, `{"type":"string","enum":["a","b"]}`},
		{`{"type":"INTEGER","format":"enum","enum":["1","2","x"]}`, `{"type":"integer","enum":[1,2,"x"]}`},
		{`{"type":"string","nullable":true,"enum":["a"]}`, `{"type":["string","null"],"enum":["a",null]}`},
		{`{"type":["STRING","NULL"],"nullable":true}`, `{"type":["string","null"]}`},
		{`{"type":"NULL","nullable":true}`, `{"type":"null"}`},
		{`{"type":"TYPE_UNSPECIFIED","nullable":false,"title":null}`, `{}`},
		{`{"nullable":true,"anyOf":[{"type":"STRING"},{"type":"NUMBER","nullable":true}]}`, `{"anyOf":[{"type":"string"},{"type":["number","null"]},{"type":"null"}]}`},
		{`{"any_of":[{"type":"STRING"}]}`, `{"anyOf":[{"type":"string"}]}`},
		{`{"type":"ARRAY","items":{"type":"OBJECT"},"minItems":"1","max_items":2}`, `{"type":"array","items":{"type":"object"},"minItems":1,"maxItems":2}`},
		{`{"type":"OBJECT","properties":{"type":{"type":"STRING"},"my_key":{"type":"NUMBER","format":"float","minimum":0},"z":{}},"propertyOrdering":["z","my_key","z","none"],"required":["my_key"]}`,
			`{"type":"object","properties":{"z":{},"my_key":{"type":"number","format":"float","minimum":0},"type":{"type":"string"}},"required":["my_key"]}`},
		{`{"type":"STRING","example":"e","default":null,"pattern":"A","x-key":{"TYPE":"A"}}`, `{"type":"string","examples":["e"],"default":null,"pattern":"A","x-key":{"TYPE":"A"}}`},
		{`{"ref":"#/$defs/A","defs":{"A":{"type":"STRING"}}}`, `{"$ref":"#/$defs/A","$defs":{"A":{"type":"string"}}}`},
		{`{"type":"object","properties":{"a":{"type":"string"}},"additionalProperties":false,"$schema":"s"}`, `{"type":"object","properties":{"a":{"type":"string"}},"additionalProperties":false,"$schema":"s"}`},
		{`{"type":6,"properties":{"a":{"type":1,"nullable":true},"b":{"type":3,"enum":["1"]},"c":{"type":0}}}`,
			`{"type":"object","properties":{"a":{"type":["string","null"]},"b":{"type":"integer","enum":[1]},"c":{}}}`},
		{`{"type":55,"enum":"a","properties":[],"anyOf":{"type":"STRING"}}`, `{"type":55,"enum":"a","properties":[],"anyOf":{"type":"string"}}`},
	} {
		if got := string(jsonSchema(jsonbytes.Value(test.schema))); got != test.want {
			t.Errorf("%s\ngot  %s\nwant %s", test.schema, got, test.want)
		}
	}
}

func TestBadRequests(t *testing.T) {
	for _, test := range []struct{ body, param string }{
		{`[]`, ""}, {`{}`, "contents"}, {`{"contents":null}`, "contents"}, {`{"contents":[]}`, "contents"}, {`{"contents":[{"parts":[]}]}`, "contents"},
		{`{"contents":5}`, "contents"}, {`{"contents":[5]}`, "contents[0]"},
		{`{"contents":[{"role":"system","parts":["a"]}]}`, "contents[0].role"},
		{`{"contents":[{"role":5,"parts":["a"]}]}`, "contents[0].role"},
		{`{"contents":[{"parts":[{"text":5}]}]}`, "contents[0].parts[0].text"},
		{`{"contents":[{"parts":[{"text":"a","inlineData":{}}]}]}`, "contents[0].parts[0]"},
		{`{"contents":[{"parts":[{"inlineData":{"mimeType":"image/png"}}]}]}`, "contents[0].parts[0].inlineData.data"},
		{`{"contents":[{"parts":[{"inlineData":{"data":"QUJD"}}]}]}`, "contents[0].parts[0].inlineData.mimeType"},
		{`{"contents":[{"parts":[{"inlineData":{"mimeType":"image/png","data":"A\u0022"}}]}]}`, "contents[0].parts[0].inlineData.data"},
		{`{"contents":[{"parts":[{"fileData":{}}]}]}`, "contents[0].parts[0].fileData.fileUri"},
		{`{"contents":[{"role":"model","parts":[{"functionCall":{"args":{}}}]}]}`, "contents[0].parts[0].functionCall.name"},
		{`{"contents":[{"role":"model","parts":[{"functionCall":{"name":"f","args":[]}}]}]}`, "contents[0].parts[0].functionCall.args"},
		{`{"contents":[{"parts":[{"functionResponse":{"name":"f","response":"r"}}]}]}`, "contents[0].parts[0].functionResponse.response"},
		{ask(`,"system_instruction":"a","systemInstruction":"b"`), "system_instruction"},
		{ask(`,"tools":[{"functionDeclarations":[{"name":"f","name":"g"}]}]`), "tools[0].functionDeclarations[0].name"},
		{ask(`,"tools":[{"functionDeclarations":[{}]}]`), "tools[0].functionDeclarations[0].name"},
		{ask(`,"tools":[{"functionDeclarations":[{"name":"f","parameters":1}]}]`), "tools[0].functionDeclarations[0].parameters"},
		{ask(`,"toolConfig":{"functionCallingConfig":{"mode":"MAYBE"}}`), "toolConfig.functionCallingConfig.mode"},
		{ask(`,"generationConfig":{"temperature":"hot"}`), "generationConfig.temperature"},
		{ask(`,"generationConfig":{"maxOutputTokens":-1}`), "generationConfig.maxOutputTokens"},
		{ask(`,"generationConfig":{"responseSchema":"x"}`), "generationConfig.responseSchema"},
		{ask(`,"generationConfig":[]`), "generationConfig"},
	} {
		_, err := Codec{}.DecodeRequest([]byte(test.body), new(transform.Losses))
		var e *transform.Error
		if !errors.As(err, &e) || e.Kind != transform.ErrBadRequest || e.Param != test.param || !strings.HasPrefix(e.Message, test.param) {
			t.Errorf("%s: %+v", test.body, err)
		}
	}
}
