// Elastic's client, with the workload's Google identity token on every request.
package main

import (
	"cmp"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"net/url"
	"os"
	"regexp"
	"strings"
	"sync"
	"time"

	"cloud.google.com/go/compute/metadata"
	"github.com/elastic/go-elasticsearch/v8"
)

const (
	// The metadata server hands out the same token until four minutes before it expires.
	renewBefore = 225 * time.Second
	// After a failure, those who waited for the same token share it.
	pauseAfterFailure = 5 * time.Second
)

var errNoToken = errors.New("the metadata server gives no identity token")

// identityTokens gives the workload's identity token, and renews it before it expires.
type identityTokens struct {
	audience string

	mutex   sync.Mutex // One fetch at a time, however many ask.
	token   string
	expires time.Time
	failed  time.Time
	failure error
}

func (t *identityTokens) get(ctx context.Context) (string, error) {
	t.mutex.Lock()
	defer t.mutex.Unlock()
	if time.Until(t.expires) < renewBefore && time.Since(t.failed) > pauseAfterFailure {
		t.fetch(ctx)
	}
	if time.Now().After(t.expires) { // Until then the old one is still good.
		return "", t.failure
	}
	return t.token, nil
}

// another gives a token for one retry, or "" if there is none but the one that was refused.
func (t *identityTokens) another(ctx context.Context, refused string) string {
	t.mutex.Lock()
	defer t.mutex.Unlock()
	if t.token == refused {
		t.fetch(ctx)
	}
	if t.token == refused {
		return ""
	}
	return t.token
}

func (t *identityTokens) fetch(ctx context.Context) {
	// The token is for all: it is fetched even if the request that asked first is given up.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
	defer cancel()
	query := url.Values{"audience": {t.audience}, "format": {"full"}}
	token, err := metadata.GetWithContext(ctx, "instance/service-accounts/default/identity?"+query.Encode())
	var answer *metadata.Error
	if errors.As(err, &answer) { // Its text would show what was answered.
		err = fmt.Errorf("it answers %d", answer.Code)
	}
	if err == nil {
		var expires time.Time
		if expires, err = expiry(token); err == nil {
			t.token, t.expires = token, expires
			return
		}
	}
	t.failed, t.failure = time.Now(), fmt.Errorf("%w: %w", errNoToken, err)
}

var jwt = regexp.MustCompile(`^[\w-]+\.[\w-]+\.[\w-]+$`)

func expiry(token string) (time.Time, error) {
	if !jwt.MatchString(token) {
		return time.Time{}, errors.New("not a JWT")
	}
	var claims struct {
		Exp float64 `json:"exp"`
	}
	payload, err := base64.RawURLEncoding.DecodeString(strings.Split(token, ".")[1])
	if err != nil || json.Unmarshal(payload, &claims) != nil || claims.Exp <= 0 {
		return time.Time{}, errors.New("not a JWT that expires") // Their errors would show parts of it.
	}
	return time.Unix(int64(claims.Exp), 0), nil
}

// identityTransport is an http.RoundTripper that puts the token on every request, and tries another one after a 401.
type identityTransport struct {
	tokens        *identityTokens
	elasticsearch http.RoundTripper
}

func (t *identityTransport) RoundTrip(request *http.Request) (*http.Response, error) {
	token, err := t.tokens.get(request.Context())
	if err != nil {
		if request.Body != nil {
			request.Body.Close()
		}
		return nil, err
	}
	response, err := t.send(request, request.Body, token)
	if err != nil {
		return nil, err
	}
	if isRead(request) && (response.StatusCode == http.StatusBadGateway || response.StatusCode == http.StatusGatewayTimeout) {
		response.Body.Close()
		return nil, &gatewayError{response.Status}
	}
	if response.StatusCode != http.StatusUnauthorized {
		return response, nil
	}
	body := request.Body
	if body != nil && body != http.NoBody {
		if request.GetBody == nil { // It can be sent once only.
			return response, nil
		}
		if body, err = request.GetBody(); err != nil {
			return response, nil
		}
	}
	another := t.tokens.another(request.Context(), token)
	if another == "" {
		return response, nil
	}
	io.Copy(io.Discard, response.Body)
	response.Body.Close()
	return t.send(request, body, another)
}

func (t *identityTransport) send(request *http.Request, body io.ReadCloser, token string) (*http.Response, error) {
	request = request.Clone(request.Context()) // A RoundTripper must not change the one that it is given.
	request.Body = body
	request.Header.Set("Authorization", "Bearer "+token)
	return t.elasticsearch.RoundTrip(request)
}

// Connect gives a client for Elasticsearch: https only, certificates are verified, redirects are not followed.
func Connect() (*elasticsearch.Client, error) {
	address := os.Getenv("ELASTICSEARCH_URL")
	if !strings.HasPrefix(address, "https://") {
		return nil, errors.New("ELASTICSEARCH_URL must begin with https: tokens are bearer tokens")
	}
	transport := http.DefaultTransport.(*http.Transport).Clone()
	transport.DialContext = (&net.Dialer{Timeout: 5 * time.Second}).DialContext
	timeout, err := time.ParseDuration(cmp.Or(os.Getenv("ELASTICSEARCH_TIMEOUT"), "30") + "s")
	if err != nil {
		return nil, fmt.Errorf("ELASTICSEARCH_TIMEOUT: %w", err)
	}
	transport.ResponseHeaderTimeout = timeout
	if file := os.Getenv("ELASTICSEARCH_CA"); file != "" {
		pem, err := os.ReadFile(file)
		if err != nil {
			return nil, err
		}
		authorities := x509.NewCertPool()
		if !authorities.AppendCertsFromPEM(pem) {
			return nil, fmt.Errorf("%s has no certificate", file)
		}
		transport.TLSClientConfig = &tls.Config{RootCAs: authorities}
	}
	return elasticsearch.NewClient(elasticsearch.Config{
		Addresses: []string{address},
		Header:    headers(),
		Transport: &identityTransport{
			tokens:        &identityTokens{audience: os.Getenv("ELASTICSEARCH_AUDIENCE")},
			elasticsearch: transport,
		},
		MaxRetries:    3,
		RetryOnStatus: []int{429, 503},
		RetryOnError:  mayBeSentAgain,
		RetryBackoff: func(attempt int) time.Duration {
			longest := 500 * time.Millisecond << (attempt - 1)
			return longest/2 + rand.N(longest)
		},
	})
}

func headers() http.Header {
	headers := http.Header{}
	for _, names := range [][2]string{
		{"K_SERVICE", "K_REVISION"},
		{"CLOUD_RUN_JOB", "CLOUD_RUN_EXECUTION"},
		{"CLOUD_RUN_WORKER_POOL", "CLOUD_RUN_WORKER_POOL_REVISION"},
	} {
		if name := os.Getenv(names[0]); name != "" {
			headers.Set("X-Opaque-Id", name+"/"+os.Getenv(names[1]))
			break
		}
	}
	if secret := os.Getenv("ELASTICSEARCH_CLIENT_SECRET"); secret != "" {
		headers.Set("ES-Client-Authentication", "SharedSecret "+secret)
	}
	return headers
}

// gatewayError is 502 or 504: the request may have been executed.
type gatewayError struct{ status string }

func (e *gatewayError) Error() string { return "Elasticsearch answers " + e.status }

var reads = regexp.MustCompile(`^(/[^/]+)?/(_search|_msearch|_count|_mget)$`)

func isRead(request *http.Request) bool {
	method := request.Method
	return method == "GET" || method == "HEAD" || method == "POST" && reads.MatchString(request.URL.Path)
}

// mayBeSentAgain says of a write only if it cannot have been executed.
func mayBeSentAgain(request *http.Request, err error) bool {
	var operation *net.OpError
	var gateway *gatewayError
	switch {
	case errors.Is(err, errNoToken):
		return false
	case errors.As(err, &operation) && operation.Op == "dial": // Nothing was sent.
		return true
	case !isRead(request):
		return false
	case errors.As(err, &gateway), errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return true
	default:
		return operation != nil && !operation.Timeout() // As after a reset.
	}
}
