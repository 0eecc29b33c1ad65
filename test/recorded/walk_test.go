package recorded_test

import (
	"slices"
	"strconv"
	"strings"
)

// walk visits every value below v, parents first, in a fixed order. Where visit
// returns false it goes no deeper.
func walk(v any, at string, visit func(at string, v any) bool) {
	if !visit(at, v) {
		return
	}
	switch v := v.(type) {
	case map[string]any:
		for _, name := range sortedNames(v) {
			walk(v[name], at+"/"+pointerToken.Replace(name), visit)
		}
	case []any:
		for i, element := range v {
			walk(element, at+"/"+strconv.Itoa(i), visit)
		}
	}
}

var pointerToken = strings.NewReplacer("~", "~0", "/", "~1")

func sortedNames(m map[string]any) []string {
	var names []string
	for name := range m {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

// covered tells whether a loss report names a place, or one around it.
func covered(report []string, at string) bool {
	return slices.ContainsFunc(report, func(p string) bool {
		return p == at || p != "" && strings.HasPrefix(at, p+"/")
	})
}

// freeForm tells the places whose members are the client's own affair: schemas,
// arguments, what tools said, and maps of metadata.
func freeForm(dialect, at string) bool {
	segments := strings.Split(at, "/")
	for i, s := range segments {
		parent := ""
		if i > 0 {
			parent = segments[i-1]
		}
		switch dialect {
		case "chat":
			if s == "parameters" || s == "schema" && parent == "json_schema" || i == 1 && (s == "metadata" || s == "logit_bias") {
				return true
			}
		case "responses":
			if s == "parameters" || s == "schema" && parent == "format" || i == 1 && s == "metadata" {
				return true
			}
		case "messages":
			if s == "input_schema" || s == "schema" || s == "input" && i >= 4 {
				return true
			}
		case "gemini":
			switch s {
			case "parameters", "parametersJsonSchema", "parameters_json_schema", "responseSchema", "response_schema",
				"responseJsonSchema", "response_json_schema", "response", "args", "labels":
				return true
			}
		}
	}
	return false
}
