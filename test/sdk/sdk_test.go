// Package sdk_test lets the official SDKs be the gateway's clients, before a
// stand-in of every provider: each feature, for every SDK against every
// provider's format. The command is test/sdk/run.
package sdk_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"time"
)

// patience bounds the whole run, which takes a fraction of it.
const patience = 5 * time.Minute

// result is what a client reports of one feature at one provider, in one mode:
// plain, stream, or an SDK's own helper.
type result struct {
	Client, Provider, Feature, Mode string

	OK bool
	// Why it failed, or, if NA, what cannot be carried.
	Why string
	NA  bool
}

func TestSDKs(t *testing.T) {
	needSDKs(t)
	standIn := newStandIn(t)
	results := runClients(t, object{
		"gateway": startGateway(t, standIn.URL), "key": clientKey, "providers": gatewayProviders,
		"standIn": standIn.URL, "providerKey": providerKey, "direct": direct,
		"only": os.Getenv("SDK_TEST_ONLY"),
	})
	printTable(t, results)
	for _, line := range standIn.report() {
		t.Logf("refused: %s", line)
	}
	for _, r := range results {
		if r.NA {
			continue // the table says why
		}
		name := strings.Join([]string{r.Client, r.Provider, r.Feature, r.Mode}, "/")
		t.Run(name, func(t *testing.T) {
			if !r.OK {
				t.Errorf("%s: %s", name, r.Why)
			}
		})
	}
}

// needSDKs skips the test where Node or the SDKs are not installed.
func needSDKs(t *testing.T) {
	t.Helper()
	version, err := exec.Command("node", "-p", "+process.versions.node.split('.')[0] >= 20").Output()
	if err != nil || strings.TrimSpace(string(version)) != "true" {
		t.Skip("the SDKs are tested with Node 20 or later, which is not installed")
	}
	if _, err := os.Stat("node_modules/openai"); errors.Is(err, os.ErrNotExist) {
		t.Skip("the SDKs are not installed: test/sdk/run installs and tests them")
	}
}

// runClients runs all clients in one process, which gets its config from stdin
// and writes a line of JSON for each result.
func runClients(t *testing.T, config object) []result {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	in, err := json.Marshal(config)
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(ctx, "node", "--no-warnings", "client.mjs")
	cmd.Stdin, cmd.Stderr = bytes.NewReader(in), os.Stderr
	// Keys and addresses of real services must not leak in.
	cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "HOME=" + t.TempDir()}
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("the clients broke off: %v", err)
	}
	var results []result
	for line := range bytes.Lines(out) {
		var r result
		if err := json.Unmarshal(line, &r); err != nil {
			t.Fatalf("reading the results: %v in %q", err, line)
		}
		results = append(results, r)
	}
	if len(results) == 0 {
		t.Fatal("the clients tested nothing")
	}
	return results
}

// printTable shows, for every client and provider, how many checks passed; the
// letters are the features that failed.
func printTable(t *testing.T, results []result) {
	t.Helper()
	var clients, providers, features []string
	type key struct{ client, provider, feature string }
	passed, all, na := map[key]int{}, map[key]int{}, map[key]int{}
	reasons := map[string]int{}
	for _, r := range results {
		clients, providers, features = add(clients, r.Client), add(providers, r.Provider), add(features, r.Feature)
		k := key{r.Client, r.Provider, r.Feature}
		switch {
		case r.NA:
			na[k]++
			reasons[r.Why]++
		case r.OK:
			passed[k]++
			fallthrough
		default:
			all[k]++
		}
	}
	var b strings.Builder
	fmt.Fprintf(&b, "each letter is a feature, all modes of it: lower case passed, - cannot be carried, UPPER CASE FAILED\n")
	for i, f := range features {
		fmt.Fprintf(&b, "  %c %s", letter(i), f)
	}
	fmt.Fprintf(&b, "\n\n")
	for _, client := range clients {
		fmt.Fprintf(&b, "%s\n", client)
		for _, provider := range providers {
			line := make([]byte, 0, len(features))
			ok, total := 0, 0
			for i, feature := range features {
				k := key{client, provider, feature}
				ok, total = ok+passed[k], total+all[k]
				switch {
				case all[k] == 0 && na[k] == 0:
					line = append(line, ' ')
				case all[k] == 0:
					line = append(line, '-')
				case passed[k] < all[k]:
					line = append(line, letter(i)-'a'+'A')
				default:
					line = append(line, letter(i))
				}
			}
			if total > 0 {
				fmt.Fprintf(&b, "  %-17s %s  %d/%d\n", provider, line, ok, total)
			}
		}
	}
	fmt.Fprintf(&b, "\ncannot be carried:\n")
	for _, why := range sorted(reasons) {
		fmt.Fprintf(&b, "%5d  %s\n", reasons[why], why)
	}
	t.Log(b.String())
}

func letter(i int) byte { return byte('a' + i) }

func add(list []string, s string) []string {
	if slices.Contains(list, s) {
		return list
	}
	return append(list, s)
}

func sorted(m map[string]int) (keys []string) {
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}
