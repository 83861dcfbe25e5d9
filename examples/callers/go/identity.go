// Elastic's client, with the workload's Google identity token on every request.
package main

import (
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
	if err == nil {
		var expires time.Time
		if expires, err = expiry(token); err == nil {
			t.token, t.expires = token, expires
			return
		}
	}
	t.failed, t.failure = time.Now(), fmt.Errorf("%w: %w", errNoToken, err)
}

func expiry(token string) (time.Time, error) {
	parts := strings.Split(token, ".")
	if len(parts) != 3 {
		return time.Time{}, errors.New("not a JWT")
	}
	payload, err := base64.RawURLEncoding.DecodeString(parts[1])
	if err != nil {
		return time.Time{}, err
	}
	var claims struct {
		Exp int64 `json:"exp"`
	}
	err = json.Unmarshal(payload, &claims)
	return time.Unix(claims.Exp, 0), err
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
	if err != nil || response.StatusCode != http.StatusUnauthorized {
		return response, err
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
	transport.ResponseHeaderTimeout = 30 * time.Second
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
		RetryOnStatus: []int{429, 502, 503, 504},
		RetryOnError:  func(_ *http.Request, err error) bool { return isTemporary(err) },
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

// isTemporary says whether nothing was sent: a write whose answer did not come may have been executed.
func isTemporary(err error) bool {
	var connection *net.OpError
	return errors.As(err, &connection) && connection.Op == "dial" && !errors.Is(err, errNoToken)
}
