"""Programs of the cluster that come from Go modules of their own."""

from pathlib import Path

from tests.stack.build_go import GoProgram

_HERE = Path(__file__).parent
NODE_FILES = "files"
_KIND = "sigs.k8s.io/kind"
KIND = GoProgram("kind", _HERE / "kind", _KIND, _KIND, "kind", (f"images/base/{NODE_FILES}",))
_COREDNS = "github.com/coredns/coredns"
COREDNS = GoProgram("CoreDNS", _HERE / "coredns", _COREDNS, ".", "coredns")
_POLICIES = "sigs.k8s.io/kube-network-policies"
NETWORK_POLICY = GoProgram("kind network policy", _HERE / "network-policy", _POLICIES, ".", "network-policy")
