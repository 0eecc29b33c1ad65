package bedrock

import (
	"net/url"
	"strings"
)

// suffixes are the domains of AWS's partitions, by how the names of their
// regions begin: those of China, of the isolated ones, and of the European
// sovereign cloud. All others, GovCloud included, are in amazonaws.com.
var suffixes = []struct{ region, domain string }{
	{"cn-", "amazonaws.com.cn"},
	{"us-iso-", "c2s.ic.gov"},
	{"us-isob-", "sc2s.sgov.gov"},
	{"us-isof-", "csp.hci.ic.gov"},
	{"eu-isoe-", "cloud.adc-e.uk"},
	{"eusc-", "amazonaws.eu"},
}

// endpointOf is where the models of a region are called.
func endpointOf(region string) string {
	domain := "amazonaws.com"
	for _, s := range suffixes {
		if strings.HasPrefix(region, s.region) {
			domain = s.domain
		}
	}
	return "https://bedrock-runtime." + region + "." + domain
}

// regionIn is the region in a URL of AWS's own, empty if it is none.
func regionIn(base string) string {
	u, err := url.Parse(base)
	if err != nil {
		return ""
	}
	return regionOf(u.Hostname())
}

func regionOf(host string) string {
	for _, service := range [...]string{"bedrock-runtime.", "bedrock-runtime-fips."} {
		if rest, ok := strings.CutPrefix(host, service); ok {
			if region, _, _ := strings.Cut(rest, "."); isRegion(region) {
				return region
			}
		}
	}
	return ""
}

// isRegion tells whether a name can be part of a host's.
func isRegion(name string) bool {
	for _, c := range []byte(name) {
		if !('a' <= c && c <= 'z' || '0' <= c && c <= '9' || c == '-') {
			return false
		}
	}
	return name != "" && len(name) <= 63 && strings.Contains(name, "-") && name[0] != '-' && name[len(name)-1] != '-'
}
