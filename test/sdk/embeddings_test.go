package sdk_test

import (
	"encoding/base64"
	"encoding/binary"
	"io"
	"math"
	"net/http"
)

// embedding reads the texts of a request and makes the answer for their vectors.
type embedding func(body node) (texts []string, answer func(vectors [][]float64) any, fault string)

func (s *standIn) embed(key func(*http.Request) bool, read embedding) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, fault := s.receive(r, key)
		if fault != "" {
			s.refuse(w, r, chat{}, fault)
			return
		}
		texts, answer, fault := read(body)
		var vectors [][]float64
		for _, text := range texts {
			for i, input := range facts.Inputs {
				if text == input {
					vectors = append(vectors, facts.Vectors[i])
				}
			}
		}
		if fault == "" && (len(texts) == 0 || len(vectors) != len(texts)) {
			fault = "the texts are not those that were sent: " + encode(texts)
		}
		if fault != "" {
			s.refuse(w, r, chat{}, fault)
			return
		}
		w.Header().Set("Content-Type", "application/json")
		_, _ = io.WriteString(w, encode(answer(vectors)))
	})
}

func texts(n node) (all []string) {
	if n.isText() {
		return []string{n.str()}
	}
	for _, t := range n.list() {
		all = append(all, t.str())
	}
	return all
}

func openAIEmbeddings(body node) ([]string, func([][]float64) any, string) {
	format := body.at("encoding_format").str()
	return texts(body.at("input")), func(vectors [][]float64) any {
		data := array{}
		for i, v := range vectors {
			var embedding any = v
			if format == "base64" {
				embedding = base64.StdEncoding.EncodeToString(floats(v))
			}
			data = append(data, object{"object": "embedding", "index": i, "embedding": embedding})
		}
		usage := object{"prompt_tokens": 11, "total_tokens": 11}
		return object{"object": "list", "data": data, "model": body.at("model").str(), "usage": usage}
	}, ""
}

func floats(v []float64) (b []byte) {
	for _, f := range v {
		b = binary.LittleEndian.AppendUint32(b, math.Float32bits(float32(f)))
	}
	return b
}

func mistralEmbeddings(body node) (t []string, answer func([][]float64) any, fault string) {
	t, answer, fault = openAIEmbeddings(body)
	for _, name := range []string{"dimensions", "user"} {
		if body.at(name).ok() {
			fault = "unknown member " + name
		}
	}
	return t, answer, fault
}

func geminiEmbedding(body node) ([]string, func([][]float64) any, string) {
	return []string{body.at("content", "parts", 0, "text").str()}, func(vectors [][]float64) any {
		return object{"embedding": object{"values": vectors[0]}}
	}, ""
}

func geminiEmbeddings(body node) (t []string, answer func([][]float64) any, fault string) {
	for _, r := range body.at("requests").list() {
		t = append(t, r.at("content", "parts", 0, "text").str())
		if r.at("model").str() == "" {
			fault = "a request of the batch names no model"
		}
	}
	return t, func(vectors [][]float64) any {
		embeddings := array{}
		for _, v := range vectors {
			embeddings = append(embeddings, object{"values": v})
		}
		return object{"embeddings": embeddings}
	}, fault
}

func vertexEmbeddings(body node) (t []string, answer func([][]float64) any, fault string) {
	for _, i := range body.at("instances").list() {
		t = append(t, i.at("content").str())
	}
	return t, func(vectors [][]float64) any {
		predictions := array{}
		for _, v := range vectors {
			predictions = append(predictions, object{"embeddings": object{"values": v, "statistics": object{"token_count": 5, "truncated": false}}})
		}
		return object{"predictions": predictions}
	}, ""
}

func cohereEmbeddings(body node) (t []string, answer func([][]float64) any, fault string) {
	t = texts(body.at("texts"))
	for _, input := range body.at("inputs").list() {
		t = append(t, input.at("content", 0, "text").str())
	}
	if body.at("input_type").str() == "" {
		fault = "input_type is missing"
	}
	return t, func(vectors [][]float64) any {
		return object{
			"id": "std", "embeddings": object{"float": vectors}, "texts": t, "response_type": "embeddings_by_type",
			"meta": object{"billed_units": object{"input_tokens": 11}},
		}
	}, fault
}

func ollamaEmbeddings(body node) ([]string, func([][]float64) any, string) {
	return texts(body.at("input")), func(vectors [][]float64) any {
		return object{"model": body.at("model").str(), "embeddings": vectors, "prompt_eval_count": 11}
	}, ""
}
