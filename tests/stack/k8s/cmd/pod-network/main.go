// pod-network connects the pods of kind's nodes, which share a network: each node gets a plugin configuration for its
// own range, and routes to the others' ranges. It runs on every node, in the node's network.
package main

import (
	"context"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"time"

	"github.com/vishvananda/netlink"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"k8s.io/klog/v2"
)

const (
	every  = 2 * time.Second
	plugin = `{
  "cniVersion": "0.4.0",
  "name": "pods",
  "plugins": [
    {
      "type": "ptp",
      "mtu": 1500,
      "ipMasq": false,
      "ipam": {
        "type": "host-local",
        "dataDir": "/run/cni-ipam-state",
        "ranges": [[{"subnet": "%s"}]],
        "routes": [{"dst": "0.0.0.0/0"}]
      }
    },
    {"type": "portmap", "capabilities": {"portMappings": true}}
  ]
}
`
)

func main() {
	config, err := rest.InClusterConfig()
	if err != nil {
		klog.Fatal(err)
	}
	client, err := kubernetes.NewForConfig(config)
	if err != nil {
		klog.Fatal(err)
	}
	for ; ; time.Sleep(every) {
		if err := connect(client, os.Getenv("NODE"), os.Getenv("PLUGIN_FILE")); err != nil {
			klog.Error(err)
		}
	}
}

func connect(client kubernetes.Interface, own, file string) error {
	nodes, err := client.CoreV1().Nodes().List(context.Background(), metav1.ListOptions{})
	if err != nil {
		return err
	}
	for _, node := range nodes.Items {
		switch {
		case node.Spec.PodCIDR == "":
		case node.Name == own:
			if err := write(file, fmt.Sprintf(plugin, node.Spec.PodCIDR)); err != nil {
				return err
			}
		default:
			if err := route(node); err != nil {
				return fmt.Errorf("route to %s: %w", node.Name, err)
			}
		}
	}
	return nil
}

// write replaces the file in one step: the container runtime watches its folder.
func write(file, content string) error {
	if found, err := os.ReadFile(file); err == nil && string(found) == content {
		return nil
	}
	scratch := filepath.Join(filepath.Dir(file), ".pod-network")
	if err := os.WriteFile(scratch, []byte(content), 0o644); err != nil {
		return err
	}
	return os.Rename(scratch, file)
}

func route(node corev1.Node) error {
	_, pods, err := net.ParseCIDR(node.Spec.PodCIDR)
	if err != nil {
		return err
	}
	for _, address := range node.Status.Addresses {
		if address.Type == corev1.NodeInternalIP {
			return netlink.RouteReplace(&netlink.Route{Dst: pods, Gw: net.ParseIP(address.Address)})
		}
	}
	return nil
}
