package llmproxy

import (
	"encoding/json"
	"maps"
	"slices"
	"strings"
)

// checkedConfig is what a config says of access logs.
type checkedConfig struct {
	Logging struct {
		Logs map[string]struct {
			Writer struct {
				Output string `json:"output"`
			} `json:"writer"`
			Encoder struct {
				Format string                     `json:"format"`
				Fields map[string]json.RawMessage `json:"fields"`
			} `json:"encoder"`
			Include []string `json:"include"`
			Exclude []string `json:"exclude"`
		} `json:"logs"`
	} `json:"logging"`
	Apps struct {
		HTTP struct {
			Servers map[string]struct {
				Logs *struct {
					DefaultLoggerName string                     `json:"default_logger_name"`
					LoggerNames       map[string]json.RawMessage `json:"logger_names"`
					Credentials       bool                       `json:"should_log_credentials"`
				} `json:"logs"`
			} `json:"servers"`
		} `json:"http"`
	} `json:"apps"`
}

// accessLogger is what the loggers of access logs begin with.
const accessLogger = "http.log.access"

// keyPlaces are where clients put keys that Caddy does not redact, as the fields of
// access logs.
var keyPlaces = []string{"request>headers>X-Api-Key", "request>headers>Api-Key", "request>headers>X-Goog-Api-Key", "request>uri"}

// warnOfLogs tells of access logs of the gateways' servers that would keep clients' keys.
func (r *checkReport) warnOfLogs(text []byte) {
	var config checkedConfig
	if json.Unmarshal(text, &config) != nil {
		return // it has been provisioned, so this does not happen
	}
	for _, gateway := range r.Gateways {
		server := config.Apps.HTTP.Servers[gateway.Server]
		if server.Logs == nil {
			continue
		}
		var loggers []string
		if name := server.Logs.DefaultLoggerName; name != "" {
			loggers = append(loggers, accessLogger+"."+name)
		}
		for _, raw := range server.Logs.LoggerNames {
			for _, name := range namesOf(raw) {
				loggers = append(loggers, accessLogger+"."+name)
			}
		}
		if len(loggers) == 0 {
			loggers = append(loggers, accessLogger)
		}
		for _, name := range slices.Sorted(maps.Keys(config.Logging.Logs)) {
			log := config.Logging.Logs[name]
			takes := func(logger string) bool { return takesLog(log.Include, log.Exclude, logger) }
			if log.Writer.Output == "discard" || !slices.ContainsFunc(loggers, takes) {
				continue
			}
			fields := log.Encoder.Fields
			if log.Encoder.Format != "filter" {
				fields = nil
			}
			r.warnOfLog(gateway.Server, name, server.Logs.Credentials, fields)
		}
		if _, own := config.Logging.Logs["default"]; !own { // Caddy has one that takes all
			r.warnOfLog(gateway.Server, "default", server.Logs.Credentials, nil)
		}
	}
}

// warnOfLog tells of the places that a log keeps. Caddy redacts Authorization, unless it
// is told to keep credentials.
func (r *checkReport) warnOfLog(server, log string, credentials bool, fields map[string]json.RawMessage) {
	var open []string
	places := keyPlaces
	if credentials {
		places = append([]string{"request>headers>Authorization"}, keyPlaces...)
	}
	for _, place := range places {
		if fields[place] != nil || fields["request"] != nil || strings.HasPrefix(place, "request>headers>") && fields["request>headers"] != nil {
			continue
		}
		name, ok := strings.CutPrefix(place, "request>headers>")
		if !ok {
			name = "?key="
		}
		open = append(open, name)
	}
	if len(open) > 0 {
		r.warn("the access log %s of server %s keeps the keys that clients send as %s: the README's chapter Security has the filter", log, server, strings.Join(open, ", "))
	}
}

// namesOf reads a logger's name, or several.
func namesOf(raw json.RawMessage) (names []string) {
	var one string
	if json.Unmarshal(raw, &one) == nil {
		return []string{one}
	}
	_ = json.Unmarshal(raw, &names) // Caddy has read it
	return names
}

// takesLog tells whether a log takes what a logger writes, as Caddy does it: the
// longest name that fits decides.
func takesLog(include, exclude []string, logger string) bool {
	longest := func(names []string) int {
		most := -1
		for _, name := range names {
			if logger == name || strings.HasPrefix(logger, strings.TrimSuffix(name, ".")+".") {
				most = max(most, len(name))
			}
		}
		return most
	}
	in, out := longest(include), longest(exclude)
	if len(include) == 0 {
		return out < 0
	}
	return in >= 0 && in > out
}
