package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log"
	"os"
	"strings"
	"time"

	"github.com/elastic/go-elasticsearch/v8"
	"github.com/elastic/go-elasticsearch/v8/esapi"
)

// content gives what Elasticsearch answers, or an error that has it.
func content(response *esapi.Response, err error) ([]byte, error) {
	if err != nil {
		return nil, err
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		return nil, err
	}
	if response.IsError() {
		return nil, fmt.Errorf("Elasticsearch answers %s: %s", response.Status(), body)
	}
	return body, nil
}

func search(ctx context.Context, client *elasticsearch.Client, index string) (string, error) {
	body, err := content(client.Search(
		client.Search.WithContext(ctx),
		client.Search.WithIndex(index),
		client.Search.WithBody(strings.NewReader(`{"size": 10}`)),
	))
	return string(body), err
}

func write(ctx context.Context, client *elasticsearch.Client, index string) (string, error) {
	var lines strings.Builder
	for total := 1; total <= 2; total++ {
		fmt.Fprintf(&lines, "{\"index\": {\"_id\": \"order-%d\"}}\n{\"total\": %d}\n", total, total)
	}
	body, err := content(client.Bulk(
		strings.NewReader(lines.String()), client.Bulk.WithContext(ctx), client.Bulk.WithIndex(index),
	))
	if err != nil {
		return "", err
	}
	var answer struct {
		Errors bool
		Items  []json.RawMessage
	}
	if err := json.Unmarshal(body, &answer); err != nil {
		return "", err
	}
	if answer.Errors { // The status of the whole is 200 all the same.
		return "", fmt.Errorf("refused: %s", body)
	}
	return fmt.Sprintf("%d written", len(answer.Items)), nil
}

func call(client *elasticsearch.Client, do func(context.Context, *elasticsearch.Client, string) (string, error), index string) {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	answer, err := do(ctx, client, index)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(answer)
}

func main() {
	client, err := Connect()
	if err != nil {
		log.Fatal(err)
	}
	if len(os.Args) == 3 && os.Args[1] == "--write" {
		call(client, write, os.Args[2])
		return
	}
	for _, index := range os.Args[1:] {
		call(client, search, index)
	}
}
