// The real application controller and repo server of Argo CD, its Lua interpreter, and a small Redis for its cache.
//
//	argocd controller|repo-server FLAG…   as upstream's commands of these names
//	argocd redis ADDRESS                  an in-memory Redis
//	argocd health SCRIPT OBJECT           the health that Argo CD computes for an object (YAML or JSON files)
//	argocd actions SCRIPT OBJECT          the actions it offers
//	argocd action SCRIPT OBJECT           the object after an action
package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/alicebob/miniredis/v2"
	controller "github.com/argoproj/argo-cd/v3/cmd/argocd-application-controller/commands"
	reposerver "github.com/argoproj/argo-cd/v3/cmd/argocd-repo-server/commands"
	"github.com/argoproj/argo-cd/v3/pkg/apis/application/v1alpha1"
	"github.com/argoproj/argo-cd/v3/util/log"
	"github.com/argoproj/argo-cd/v3/util/lua"
	"github.com/spf13/cobra"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/klog/v2"
	"sigs.k8s.io/yaml"
)

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(args []string) error {
	if len(args) == 0 {
		return errors.New("usage: argocd controller|repo-server|redis|health|actions|action …")
	}
	klog.SetLogger(log.NewLogrusLogger(log.NewWithCurrentConfig()))
	command, rest := args[0], args[1:]
	switch command {
	case "controller":
		return execute(controller.NewCommand(), rest)
	case "repo-server":
		return execute(reposerver.NewCommand(), rest)
	case "redis":
		return serveRedis(rest)
	case "health", "actions", "action":
		return evaluate(command, rest)
	}
	return fmt.Errorf("there is no command %q", command)
}

func execute(command *cobra.Command, args []string) error {
	command.SetArgs(args)
	return command.Execute()
}

func serveRedis(args []string) error {
	if len(args) != 1 {
		return errors.New("redis needs an address")
	}
	server := miniredis.NewMiniRedis()
	if err := server.StartAddr(args[0]); err != nil {
		return err
	}
	// Its clock stands still by itself.
	for range time.Tick(time.Second) {
		server.FastForward(time.Second)
	}
	return nil
}

func evaluate(command string, args []string) error {
	if len(args) != 2 {
		return fmt.Errorf("%s needs a script and an object", command)
	}
	script, err := os.ReadFile(args[0])
	if err != nil {
		return err
	}
	text, err := os.ReadFile(args[1])
	if err != nil {
		return err
	}
	object := &unstructured.Unstructured{}
	if err := yaml.Unmarshal(text, &object.Object); err != nil {
		return err
	}
	found, err := answer(command, string(script), object)
	if err != nil {
		return err
	}
	return json.NewEncoder(os.Stdout).Encode(found)
}

func answer(command, script string, object *unstructured.Unstructured) (any, error) {
	kind := object.GroupVersionKind().GroupKind()
	overrides := map[string]v1alpha1.ResourceOverride{kind.Group + "/" + kind.Kind: {HealthLua: script}}
	vm := lua.VM{ResourceOverrides: overrides}
	switch command {
	case "health":
		return vm.ExecuteHealthLua(object, script)
	case "actions":
		return vm.ExecuteResourceActionDiscovery(object, []string{script})
	default:
		return vm.ExecuteResourceAction(object, script, nil)
	}
}
