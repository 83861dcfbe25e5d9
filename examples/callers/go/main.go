package main

import (
	"context"
	"fmt"
	"io"
	"log"
	"os"
	"strings"
	"time"

	"github.com/elastic/go-elasticsearch/v8"
)

func search(client *elasticsearch.Client, index string) (string, error) {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	response, err := client.Search(
		client.Search.WithContext(ctx),
		client.Search.WithIndex(index),
		client.Search.WithBody(strings.NewReader(`{"size": 10}`)),
	)
	if err != nil {
		return "", err
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		return "", err
	}
	if response.IsError() {
		return "", fmt.Errorf("Elasticsearch answers %s: %s", response.Status(), body)
	}
	return string(body), nil
}

func main() {
	client, err := Connect()
	if err != nil {
		log.Fatal(err)
	}
	for _, index := range os.Args[1:] {
		found, err := search(client, index)
		if err != nil {
			log.Fatal(err)
		}
		fmt.Println(found)
	}
}
