// network-policy enforces NetworkPolicies on a node, by the controller that kind's own pod network uses.
//
// The controller queues packets by nftables' `queue`, which kernels of small virtual machines lack. It then goes on
// without rules, so they are made here by iptables' NFQUEUE.
package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"strings"
	"syscall"

	"k8s.io/client-go/informers"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"k8s.io/klog/v2"
	"sigs.k8s.io/kube-network-policies/pkg/networkpolicy"
)

const (
	queueID = 100
	chain   = "NETWORK-POLICY"
)

// They run before kube-proxy replaces the address of the sender. The node's own traffic passes: kubelet's probes are
// part of it. Everything passes while nobody reads the queue.
var rules = []string{
	"-F " + chain,
	"-A " + chain + " -m owner --uid-owner 0 -j RETURN",
	"-A " + chain + " -m conntrack --ctstate ESTABLISHED,RELATED -j RETURN",
	fmt.Sprintf("-A %s -j NFQUEUE --queue-num %d --queue-bypass", chain, queueID),
}

func main() {
	if err := run(); err != nil {
		klog.Fatal(err)
	}
}

func run() error {
	if err := queue(); err != nil {
		return err
	}
	config, err := rest.InClusterConfig()
	if err != nil {
		return err
	}
	client, err := kubernetes.NewForConfig(config)
	if err != nil {
		return err
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, os.Interrupt)
	defer stop()
	factory := informers.NewSharedInformerFactory(client, 0)
	// NRI stays on, though no node here has it: without it the controller dereferences a nil pointer.
	controller, err := networkpolicy.NewController(
		client,
		factory.Networking().V1().NetworkPolicies(),
		factory.Core().V1().Namespaces(),
		factory.Core().V1().Pods(),
		nil, nil, nil, nil,
		networkpolicy.Config{QueueID: queueID, NodeName: os.Getenv("NODE"), FailOpen: true},
	)
	if err != nil {
		return err
	}
	factory.Start(ctx.Done())
	return controller.Run(ctx)
}

// queue sends the first packet of each connection to the controller; safe to run again.
func queue() error {
	_ = iptables("-N " + chain) // It is there after a restart.
	for _, rule := range rules {
		if err := iptables(rule); err != nil {
			return err
		}
	}
	jump := " POSTROUTING -j " + chain
	if iptables("-C"+jump) == nil {
		return nil
	}
	return iptables("-A" + jump)
}

func iptables(rule string) error {
	arguments := append([]string{"-w", "-t", "mangle"}, strings.Fields(rule)...)
	if said, err := exec.Command("iptables", arguments...).CombinedOutput(); err != nil {
		return fmt.Errorf("iptables %s: %w: %s", rule, err, said)
	}
	return nil
}
