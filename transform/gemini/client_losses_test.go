package gemini

import (
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"unsafe"

	"github.com/caddyllm/llmproxy/internal/jsonbytes"
	"github.com/caddyllm/llmproxy/transform"
)

// rich is a request with everything in it that this format shares with others.
const rich = `{"model":"models/m","systemInstruction":{"role":"user","parts":[{"text":"s"}]},
	"contents":[
		{"role":"user","parts":[{"text":"q"},{"inlineData":{"mimeType":"image/png","data":"AA"},"mediaResolution":{"level":"MEDIA_RESOLUTION_LOW"}},
			{"fileData":{"mimeType":"video/mp4","fileUri":"https://youtu.be/x"}}]},
		{"role":"model","parts":[{"text":"hm","thought":true,"thoughtSignature":"S0"},{"text":"a"},
			{"functionCall":{"id":"1","name":"f","args":{"a":{"b":1}}},"thoughtSignature":"S"},{"functionCall":{"id":"2","name":"g","args":{}}}]},
		{"role":"user","parts":[{"functionResponse":{"id":"1","name":"f","response":{"r":{}}}},
			{"functionResponse":{"id":"2","name":"g","response":{"output":"o"},"parts":[{"inlineData":{"mimeType":"image/png","data":"AA"}}]}},{"text":"t"}]}],
	"tools":[{"functionDeclarations":[{"name":"f","description":"d","parametersJsonSchema":{"type":"object","properties":{"a":{"type":"object"}}}},
		{"name":"g","parameters":{"type":"OBJECT","properties":{"b":{"type":"STRING"}}}}]},{"googleSearch":{}}],
	"toolConfig":{"functionCallingConfig":{"mode":"ANY","allowedFunctionNames":["f"]}},
	"generationConfig":{"temperature":0.5,"topP":0.9,"topK":3,"maxOutputTokens":100,"stopSequences":["x"],"seed":3,"candidateCount":2,
		"presencePenalty":0.1,"frequencyPenalty":0.2,"responseLogprobs":true,"logprobs":2,"responseMimeType":"application/json",
		"responseSchema":{"type":"OBJECT","properties":{"a":{"type":"STRING"}}},"responseModalities":["TEXT","IMAGE"],
		"thinkingConfig":{"includeThoughts":true,"thinkingLevel":"LOW"}},
	"safetySettings":[{"category":"C","threshold":"T"}],"cachedContent":"cachedContents/x","labels":{"a":"b"},"serviceTier":"flex","store":false}`

// closed are members whose insides are the client's own, or go to Google as
// they are.
var closed = []string{"args", "response", "parameters", "parametersJsonSchema", "responseSchema", "response_schema", "responseJsonSchema", "labels", "safetySettings"}

// plants returns the request once for every object in it, each with an unknown
// member in that object, by the pointer to this member.
func plants(request jsonbytes.Value) map[string][]byte {
	out := make(map[string][]byte)
	var walk func(v jsonbytes.Value, pointer string)
	walk = func(v jsonbytes.Value, pointer string) {
		from := int(uintptr(unsafe.Pointer(unsafe.SliceData(v))) - uintptr(unsafe.Pointer(unsafe.SliceData(request))))
		switch v.Kind() {
		case jsonbytes.Object:
			member := `"plantedMember":{"a":1}`
			if v.Len() > 0 {
				member += ","
			}
			out[pointer+"/plantedMember"] = slices.Concat(request[:from+1], []byte(member), request[from+1:])
			for key, value := range v.Members() {
				if !slices.Contains(closed, string(key)) {
					walk(value, pointer+"/"+string(key))
				}
			}
		case jsonbytes.Array:
			for i, e := range v.Elements() {
				walk(e, pointer+"/"+strconv.Itoa(i))
			}
		}
	}
	walk(request, "")
	return out
}

// reported tells whether a place is in the report, or one that it lies in.
func reported(lost *transform.Losses, pointer string) bool {
	return slices.ContainsFunc(lost.Dropped, func(at string) bool { return pointer == at || strings.HasPrefix(pointer, at+"/") })
}

func checkPlants(t *testing.T, request []byte, model string) {
	t.Helper()
	for pointer, body := range plants(jsonbytes.Parse(request)) {
		var lost transform.Losses
		r, err := Codec{}.DecodeCountRequest(body, &lost)
		if err != nil {
			t.Fatalf("%s: %v", pointer, err)
		}
		if _, err := (Codec{}).AppendRequest(nil, r, to(model), &lost); err != nil {
			t.Fatal(err)
		}
		if !reported(&lost, pointer) {
			t.Errorf("%s is lost and not reported: %q", pointer, lost.Dropped)
		}
	}
}

func TestUnknownMembersAreReportedWhereverTheyAre(t *testing.T) {
	checkPlants(t, []byte(rich), "gemini-3-flash")
	checkPlants(t, []byte(`{"generateContentRequest":`+rich+`,"model":"m"}`), "gemini-3-flash")
	snake := strings.NewReplacer("systemInstruction", "system_instruction", "inlineData", "inline_data", "mimeType", "mime_type", "fileData", "file_data",
		"fileUri", "file_uri", "functionCall\"", "function_call\"", "functionResponse", "function_response", "thoughtSignature", "thought_signature",
		"functionDeclarations", "function_declarations", "generationConfig", "generation_config", "thinkingConfig", "thinking_config",
		"toolConfig", "tool_config", "functionCallingConfig", "function_calling_config").Replace(rich)
	checkPlants(t, []byte(snake), "gemini-3-flash")
}

func TestARichRequestGoesRoundUnharmed(t *testing.T) {
	r, lost := decode(t, rich)
	sameLosses(t, lost, "", "")
	sameAgain(t, r, "gemini-3-flash")
}

// sameAgain writes a request for Google, reads what was written, and compares.
func sameAgain(t *testing.T, r *transform.Request, model string) {
	t.Helper()
	var lost transform.Losses
	body, err := Codec{}.AppendRequest(nil, r, to(model), &lost)
	if err != nil {
		t.Fatal(err)
	}
	if len(lost.Dropped) > 0 {
		t.Errorf("dropped %q", lost.Dropped)
	}
	again, lostAgain := decode(t, string(body))
	if len(lostAgain.Dropped) > 0 {
		t.Errorf("dropped from its own: %q\n%s", lostAgain.Dropped, body)
	}
	again.Model = r.Model
	if r.Reasoning.Budget > 0 && again.Reasoning.Effort != "" { // a model of levels
		again.Reasoning = r.Reasoning
	}
	if got, want := whole(again), whole(r); got != want {
		t.Errorf("got\n%swant\n%s\n%s", got, want, body)
	}
}

func whole(r *transform.Request) string {
	out := outline(r)
	for _, tool := range r.Tools {
		schema := tool.Schema
		if !takesArguments(schema) {
			schema = nil
		}
		out += "tool " + tool.Name + " " + string(tool.Description) + " " + string(schema) + "\n"
	}
	rest := *r
	if rest.Sampling.N == 1 {
		rest.Sampling.N = 0
	}
	rest.Rest = slices.SortedFunc(slices.Values(r.Rest), func(a, b transform.Member) int { return strings.Compare(a.Name, b.Name) })
	for i := range rest.Rest {
		rest.Rest[i].Name = camel(rest.Rest[i].Name)
	}
	return out + settings(&rest) + "\n"
}

// clientRequests runs a test on every recorded request of this format.
func clientRequests(t *testing.T, run func(t *testing.T, body []byte, model string)) {
	each(t, "*gemini", func(t *testing.T, r recording) {
		body, err := os.ReadFile(filepath.Join(r.folder, "request.json"))
		if err != nil {
			t.Fatal(err)
		}
		_, model, _ := strings.Cut(r.meta.Path, "models/")
		model, _, _ = strings.Cut(model, ":")
		run(t, body, model)
	})
}

func TestRecordedClientRequests(t *testing.T) {
	clientRequests(t, func(t *testing.T, body []byte, model string) {
		var lost transform.Losses
		r, err := Codec{}.DecodeCountRequest(body, &lost)
		if err != nil {
			t.Fatal(err)
		}
		for _, at := range lost.Dropped {
			if !strings.HasSuffix(at, "codeExecution") && !strings.HasSuffix(at, "url_context") && !strings.HasPrefix(at, "/generationConfig/responseModalities/") {
				t.Errorf("%s is reported", at)
			}
		}
		sameAgain(t, r, model)
	})
}

func TestRecordedClientRequestsWithUnknownMembers(t *testing.T) {
	clientRequests(t, func(t *testing.T, body []byte, model string) { checkPlants(t, body, model) })
}
