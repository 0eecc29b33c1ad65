package bedrock

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"

	"github.com/caddyllm/llmproxy/providers"
)

var at = time.Date(2026, 11, 23, 12, 30, 0, 0, time.UTC)

func requestTo(t *testing.T, address, body string) *http.Request {
	t.Helper()
	r, err := http.NewRequest(http.MethodPost, address, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("Accept", "application/json")
	r.Header.Set("X-Amzn-Bedrock-Trace", "ENABLED")
	return r
}

var authorization = regexp.MustCompile(`^AWS4-HMAC-SHA256 Credential=([^/]+)/(\d{8})/([^/]+)/bedrock/aws4_request, SignedHeaders=([a-z0-9;-]+), Signature=([0-9a-f]{64})$`)

// verify does what AWS does: it makes the signature of a request as it came,
// from the specification and not with the SDK.
func verify(r *http.Request, uri string, body []byte, secret string) error {
	m := authorization.FindStringSubmatch(r.Header.Get("Authorization"))
	if m == nil {
		return fmt.Errorf("bad header %q", r.Header.Get("Authorization"))
	}
	day, region, names := m[2], m[3], strings.Split(m[4], ";")
	// The path as it was sent, each segment escaped once more.
	segments := strings.Split(uri, "/")
	for i := range segments {
		segments[i] = strings.ReplaceAll(url.QueryEscape(segments[i]), "+", "%20")
	}
	canonical := r.Method + "\n" + strings.Join(segments, "/") + "\n\n"
	for _, name := range names {
		value := r.Header.Get(name)
		switch name {
		case "host":
			value = r.Host
		case "content-length":
			value = fmt.Sprint(r.ContentLength)
		}
		canonical += name + ":" + value + "\n"
	}
	hash := sha256.Sum256(body)
	canonical += "\n" + m[4] + "\n" + hex.EncodeToString(hash[:])
	hash = sha256.Sum256([]byte(canonical))
	scope := day + "/" + region + "/bedrock/aws4_request"
	toSign := "AWS4-HMAC-SHA256\n" + r.Header.Get("X-Amz-Date") + "\n" + scope + "\n" + hex.EncodeToString(hash[:])
	key := []byte("AWS4" + secret)
	for _, part := range []string{day, region, "bedrock", "aws4_request", toSign} {
		mac := hmac.New(sha256.New, key)
		mac.Write([]byte(part))
		key = mac.Sum(nil)
	}
	if want := hex.EncodeToString(key); want != m[5] {
		return fmt.Errorf("signature is %s, want %s of\n%s", m[5], want, canonical)
	}
	for _, name := range []string{"content-type", "host", "x-amz-date"} {
		if !slices.Contains(names, name) {
			return fmt.Errorf("%s is not signed", name)
		}
	}
	return nil
}

func TestSignatureIsThatOfTheSpecification(t *testing.T) {
	const body = `{"messages":[]}`
	for _, path := range []string{
		"/model/amazon.nova-pro-v1%3A0/converse", "/bedrock/model/arn%3Aaws%3Abedrock%3Aus-east-1%3A1%3Aprompt%2Fx/converse-stream", "/model/plain/invoke",
	} {
		r := requestTo(t, "https://bedrock-runtime.us-east-1.amazonaws.com"+path, body)
		keys := aws.Credentials{AccessKeyID: "AKIDTEST", SecretAccessKey: "testsecret", SessionToken: "session"}
		if err := sign(r, []byte(body), keys, "us-east-1", at); err != nil {
			t.Fatal(err)
		}
		if r.Host == "" {
			r.Host = r.URL.Host
		}
		if err := verify(r, path, []byte(body), "testsecret"); err != nil {
			t.Errorf("%s: %v", path, err)
		}
		if r.Header.Get("X-Amz-Security-Token") != "session" || r.Header.Get("X-Amz-Date") != "20261123T123000Z" || r.URL.EscapedPath() != path {
			t.Errorf("%s: %v, %s", path, r.Header, r.URL)
		}
		signed := authorization.FindStringSubmatch(r.Header.Get("Authorization"))[4]
		if strings.Contains(signed, "accept") || !strings.Contains(signed, "x-amzn-bedrock-trace") {
			t.Errorf("signed %s", signed)
		}
		again := requestTo(t, r.URL.String(), body)
		sign(again, []byte(body), keys, "us-east-1", at)
		if again.Header.Get("Authorization") != r.Header.Get("Authorization") {
			t.Error("signed again at the same time the signature differs")
		}
	}
}

func TestSharedURLsAreLeftAlone(t *testing.T) {
	r := requestTo(t, "https://gate.example/model/x/converse?b=2&a=1", "")
	before := *r.URL
	sign(r, nil, aws.Credentials{AccessKeyID: "a", SecretAccessKey: "b"}, "us-east-1", at)
	if *r.URL != before {
		t.Errorf("%v became %v", before, *r.URL)
	}
}

func TestServersSeeWhatWasSigned(t *testing.T) {
	clearEnvironment(t, "")
	var seen error
	server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		seen = verify(r, r.RequestURI, body, "testsecret")
	}))
	defer server.Close()
	p := mustLoad(t, `{"base_url":"`+server.URL+`/bedrock","region":"us-east-1","access_key_id":"AKIDTEST","secret_access_key":"testsecret"}`)
	body := []byte(`{"messages":[]}`)
	for _, model := range []string{"amazon.nova-pro-v1:0", "arn:aws:bedrock:us-east-1:1:inference-profile/us.anthropic.claude-sonnet-4-6", "ä b%2F+*'()"} {
		e := p.Chat(providers.Call{Model: model, Stream: true})
		r := (&http.Request{
			Method: http.MethodPost, URL: e.URL, Host: e.URL.Host, Body: io.NopCloser(bytes.NewReader(body)), ContentLength: int64(len(body)),
			Header: http.Header{"Content-Type": {"application/json"}, "Accept": {"x"}, "User-Agent": {"y"}},
		}).WithContext(context.Background())
		if err := p.Sign(r, body, ""); err != nil {
			t.Fatal(err)
		}
		response, err := p.Transport().RoundTrip(r)
		if err != nil {
			t.Fatal(err)
		}
		response.Body.Close()
		if seen != nil {
			t.Errorf("%s: %v", model, seen)
		}
	}
}

func TestAPIKeysAreBearerTokens(t *testing.T) {
	clearEnvironment(t, "")
	p := mustLoad(t, `{"region":"us-east-1","api_key":"bedrock-key"}`)
	r := requestTo(t, "https://gate.example/", "")
	if err := p.Sign(r, nil, p.Key(0)); err != nil || r.Header.Get("Authorization") != "Bearer bedrock-key" || r.Header.Get("X-Amz-Date") != "" {
		t.Errorf("got %v, %v", r.Header, err)
	}
}

func TestCredentialsComeFromTheSDKsChain(t *testing.T) {
	clearEnvironment(t, "[profile team]\naws_access_key_id = AKIDTEAM\naws_secret_access_key = teamsecret\n")
	signedBy := func(p *Bedrock) string {
		r := requestTo(t, "https://gate.example/model/x/converse", "")
		if err := p.Sign(r, nil, p.Key(0)); err != nil {
			return err.Error()
		}
		return authorization.FindStringSubmatch(r.Header.Get("Authorization"))[1]
	}
	if got := signedBy(mustLoad(t, `{"region":"us-east-1","profile":"team"}`)); got != "AKIDTEAM" {
		t.Errorf("of the profile: %s", got)
	}
	p := mustLoad(t, `{"region":"us-east-1"}`)
	if got := signedBy(p); !strings.HasPrefix(got, "finding AWS credentials: ") {
		t.Errorf("without any: %s", got)
	}
	if got := signedBy(mustLoad(t, `{"region":"us-east-1","profile":"nobody"}`)); !strings.HasPrefix(got, "finding AWS credentials: ") {
		t.Errorf("of an unknown profile: %s", got)
	}
	t.Setenv(envKeyID, "AKIDENV")
	t.Setenv(envSecret, "envsecret")
	if got := signedBy(mustLoad(t, `{"region":"us-east-1"}`)); got != "AKIDENV" {
		t.Errorf("of the environment: %s", got)
	}
}

func TestWaitingForCredentialsEndsWithTheRequest(t *testing.T) {
	clearEnvironment(t, "")
	hang := make(chan struct{})
	metadata := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { <-hang }))
	defer metadata.Close()
	defer close(hang)
	t.Setenv("AWS_CONTAINER_CREDENTIALS_FULL_URI", metadata.URL+"/credentials")
	p := mustLoad(t, `{"region":"us-east-1"}`)
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	r := requestTo(t, "https://gate.example/model/x/converse", "").WithContext(ctx)
	if err := p.Sign(r, nil, p.Key(0)); err == nil {
		t.Error("signed without credentials")
	}
}
