// Go 1.21 or newer, the standard library only.
package main

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/url"
	"os"
	"strings"
	"sync"
	"time"
)

// The metadata server hands out the same token until four minutes before its end.
const renewBefore = 225 * time.Second

// identity is an http.RoundTripper that puts the workload's identity on every request.
type identity struct {
	audience, clientSecret, opaqueID string
	elasticsearch                    http.RoundTripper
	metadata                         *http.Client

	mutex sync.Mutex
	token string
	ends  time.Time
}

func (i *identity) RoundTrip(request *http.Request) (*http.Response, error) {
	token, err := i.currentToken()
	if err != nil {
		return nil, err
	}
	request = request.Clone(request.Context())
	request.Header.Set("Authorization", "Bearer "+token)
	request.Header.Set("X-Opaque-Id", i.opaqueID)
	if i.clientSecret != "" {
		request.Header.Set("ES-Client-Authentication", "SharedSecret "+i.clientSecret)
	}
	return i.elasticsearch.RoundTrip(request)
}

func (i *identity) currentToken() (string, error) {
	i.mutex.Lock() // One fetch at a time, however many ask.
	defer i.mutex.Unlock()
	if time.Until(i.ends) < renewBefore {
		if err := i.fetch(); err != nil && time.Now().After(i.ends) { // Else the old one is still good.
			return "", err
		}
	}
	return i.token, nil
}

func (i *identity) fetch() error {
	query := url.Values{"audience": {i.audience}, "format": {"full"}}
	request, err := http.NewRequest(http.MethodGet, "http://"+environment("GCE_METADATA_HOST", "metadata.google.internal")+
		"/computeMetadata/v1/instance/service-accounts/default/identity?"+query.Encode(), nil)
	if err != nil {
		return err
	}
	request.Header.Set("Metadata-Flavor", "Google")
	response, err := i.metadata.Do(request)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return fmt.Errorf("the metadata server gives no identity token: %s", response.Status)
	}
	token, err := io.ReadAll(response.Body)
	if err != nil {
		return err
	}
	parts := strings.Split(string(token), ".")
	if len(parts) != 3 {
		return errors.New("the metadata server gives no identity token")
	}
	payload, err := base64.RawURLEncoding.DecodeString(parts[1])
	if err != nil {
		return err
	}
	var claims struct {
		Exp int64 `json:"exp"`
	}
	if err := json.Unmarshal(payload, &claims); err != nil {
		return err
	}
	i.token, i.ends = string(token), time.Unix(claims.Exp, 0)
	return nil
}

func environment(name, otherwise string) string {
	if value := os.Getenv(name); value != "" {
		return value
	}
	return otherwise
}

func opaqueID() string {
	for _, names := range [][2]string{
		{"K_SERVICE", "K_REVISION"},
		{"CLOUD_RUN_JOB", "CLOUD_RUN_EXECUTION"},
		{"CLOUD_RUN_WORKER_POOL", "CLOUD_RUN_WORKER_POOL_REVISION"},
	} {
		if name := os.Getenv(names[0]); name != "" {
			return name + "/" + os.Getenv(names[1])
		}
	}
	return "unknown"
}

// newClient gives a client for Elasticsearch alone: whatever it calls sees the token.
// So it follows no redirects.
func newClient() (*http.Client, error) {
	transport := http.DefaultTransport.(*http.Transport).Clone()
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
	stay := func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	return &http.Client{Timeout: 30 * time.Second, CheckRedirect: stay, Transport: &identity{
		audience:      os.Getenv("ELASTICSEARCH_AUDIENCE"),
		clientSecret:  os.Getenv("ELASTICSEARCH_CLIENT_SECRET"),
		opaqueID:      opaqueID(),
		elasticsearch: transport,
		metadata:      &http.Client{Timeout: 5 * time.Second},
	}}, nil
}

func main() {
	client, err := newClient()
	if err != nil {
		log.Fatal(err)
	}
	for _, index := range os.Args[1:] {
		response, err := client.Get(os.Getenv("ELASTICSEARCH_URL") + "/" + index + "/_search?size=10")
		if err != nil {
			log.Fatal(err)
		}
		body, err := io.ReadAll(response.Body)
		response.Body.Close()
		if err != nil {
			log.Fatal(err)
		}
		if response.StatusCode != http.StatusOK {
			log.Fatalf("Elasticsearch answers %s: %s", response.Status, body)
		}
		fmt.Println(string(body))
	}
}
