// crictl answers the one question that kind asks the real one: `crictl inspecti IMAGE`.
package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	runtime "k8s.io/cri-api/pkg/apis/runtime/v1"
)

const endpoint = "unix:///run/containerd/containerd.sock"

func main() {
	if len(os.Args) != 3 || os.Args[1] != "inspecti" {
		fail(fmt.Errorf("this crictl knows `inspecti IMAGE` alone"))
	}
	if err := inspect(os.Args[2]); err != nil {
		fail(err)
	}
}

func inspect(name string) error {
	connection, err := grpc.NewClient(endpoint, grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		return err
	}
	defer connection.Close()
	request := &runtime.ImageStatusRequest{Image: &runtime.ImageSpec{Image: name}}
	answer, err := runtime.NewImageServiceClient(connection).ImageStatus(context.Background(), request)
	if err != nil {
		return err
	}
	if answer.Image == nil {
		return fmt.Errorf("no such image %q", name)
	}
	status := map[string]any{"id": answer.Image.Id, "repoTags": answer.Image.RepoTags}
	return json.NewEncoder(os.Stdout).Encode(map[string]any{"status": status})
}

func fail(err error) {
	fmt.Fprintln(os.Stderr, err)
	os.Exit(1)
}
