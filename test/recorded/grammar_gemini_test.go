package recorded_test

func geminiGrammar(stream []byte) []string {
	var g grammar
	var list []frame
	for _, f := range frames(stream) {
		for _, line := range f.lines {
			g.need(line == "" || len(line) > 5 && line[:5] == "data:", "a line that is not data: %.60s", line)
		}
		g.need(f.data != "[DONE]", "[DONE]")
		if f.hasData && f.data != "[DONE]" {
			list = append(list, f)
		}
	}
	chunks := g.events(list)
	if len(chunks) == 0 {
		return append(g.wrong, "no chunks")
	}
	last := chunks[len(chunks)-1]
	if e := last.get("error"); e.given() {
		g.need(e.get("code").isInteger() && e.get("status").isText(), "error without code or status")
		return g.wrong
	}
	ended := false
	for _, chunk := range chunks {
		g.need(chunk.get("candidates").given() || chunk.get("promptFeedback").given() || chunk.get("usageMetadata").given(), "a chunk of nothing: %s", chunk)
		ended = ended || chunk.get("promptFeedback", "blockReason").given()
		for _, candidate := range chunk.get("candidates").list() {
			ended = ended || candidate.get("finishReason").given()
			geminiParts(&g, candidate.get("content"))
		}
	}
	g.need(ended, "no finishReason")
	g.need(last.get("usageMetadata", "totalTokenCount").isInteger(), "last chunk without usageMetadata")
	return g.wrong
}

func geminiParts(g *grammar, content node) {
	parts := content.get("parts").list()
	g.need(len(parts) == 0 || content.get("role").text() == "model", "role is %s", content.get("role"))
	for _, part := range parts {
		g.need(part.size() > 0, "an empty part")
		if call := part.get("functionCall"); call.given() {
			g.need(call.get("name").text() != "" && (!call.has("args") || call.get("args").isObject()), "a functionCall without name, or whose args are no object: %s", call)
		}
	}
}

func geminiShape(n node) []string {
	var g grammar
	g.need(n.has("candidates") || n.has("promptFeedback"), "neither candidates nor promptFeedback")
	g.members(n, "answer", "usageMetadata")
	for _, candidate := range n.get("candidates").list() {
		g.members(candidate, "candidate", "finishReason")
		geminiParts(&g, candidate.get("content"))
	}
	return g.wrong
}
