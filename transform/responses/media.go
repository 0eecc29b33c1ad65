package responses

import (
	"path"
	"strings"
)

// typeOfName is the media type of the files that clients send without one,
// empty if the name does not tell.
func typeOfName(name string) string {
	switch strings.ToLower(path.Ext(name)) {
	case ".pdf":
		return "application/pdf"
	case ".txt":
		return "text/plain"
	case ".md":
		return "text/markdown"
	case ".csv":
		return "text/csv"
	case ".json":
		return "application/json"
	}
	return ""
}
