"""A running installation on which the how-to pages can be followed: what they take for granted is there."""

import json
import os
import stat
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import httpx
import yaml

from searchaccess.api.vouching import APPROVAL_LABEL

from tests.stack.elasticsearch import LocalElasticsearch
from tests.stack.kubernetes import KubernetesServers
from tests.support.operatorprocess import ROOT
from tests.support.shellblocks import Block
from tests.support.howto.preparations import PREPARATIONS
from tests.support.howto.session import Shell
from tests.support.world import CLUSTER, LOGIN, OPERATOR_PASSWORD, OPERATOR_ROLE, OPERATOR_USER, World, account

PAGES: Final = (
    "docs/status.md",
    "docs/troubleshooting.md",
    "docs/answers.md",
    "docs/plan.md",
    "docs/lint.md",
    "docs/audit.md",
    "docs/policies.md",
    "docs/credentials.md",
    "docs/secret-manager.md",
    "docs/workloads.md",
    "docs/incident.md",
    "docs/ai-agents.md",
    "docs/approvals.md",
    "docs/break-glass.md",
    "docs/exclusive.md",
    "docs/import.md",
    "docs/eck.md",
    "docs/elastic-cloud.md",
    "docs/self-hosted.md",
    "docs/small-login.md",
)
"""In the order in which they are followed."""
PEOPLE: Final[Mapping[str, tuple[str, ...]]] = {
    "ann@example.com": ("team-shop@example.com",),
    "jane@example.com": ("shop-leads",),
}
"""Users of Kubernetes with their groups; rights are given by the pages."""
EXAMPLES: Final = (ROOT / "examples" / "orders.yaml", ROOT / "examples" / "audit.yaml")
_URL: Final = "https://es.example.com:9200"
_ROLE: Final[dict[str, Any]] = {
    "cluster": [*OPERATOR_ROLE["cluster"], "manage_api_key"],
    "indices": [
        *OPERATOR_ROLE["indices"],
        {"names": ["*"], "privileges": ["view_index_metadata"]},
        {"names": ["orders-*"], "privileges": ["read", "index", "create"]},
    ],
}
"""Of the operator's login: it also issues API keys for orders, and sees all aliases."""
_GCLOUD: Final = """#!/usr/bin/env bash
# Signs what Google would sign, for the one command that the pages run.
set -euo pipefail
[[ "$1 $2" == "auth print-identity-token" ]] || { echo "gcloud $*: not here" >&2; exit 1; }
for word in "${@:3}"; do
  case "$word" in
    --impersonate-service-account=*) account="${word#*=}" ;;
    --audiences=*) audience="${word#*=}" ;;
    --include-email) email=yes ;;
    *) echo "gcloud: $word: not here" >&2; exit 1 ;;
  esac
done
: "${email:?the token would have no email}"
cd "$HOWTO_ROOT" && exec "$HOWTO_PYTHON" -m tests.support.howto.token "$HOWTO_KEY" "$account" "$audience"
"""
_BROWNFIELD: Final[tuple[tuple[str, dict[str, Any]], ...]] = (
    (
        "role/analytics",
        {
            "indices": [
                {
                    "names": ["orders-*"],
                    "privileges": ["read"],
                    "field_security": {"grant": ["*"], "except": ["customer", "customer.*"]},
                }
            ]
        },
    ),
    ("role/reports", {"indices": [{"names": ["orders-*"], "privileges": ["read", "view_index_metadata"]}]}),
    ("user/etl", {"password": OPERATOR_PASSWORD, "roles": ["analytics"]}),
    (
        "role_mapping/analysts",
        {
            "enabled": True,
            "roles": ["analytics"],
            "rules": {"all": [{"field": {"realm.name": "corp"}}, {"field": {"groups": "cn=analysts"}}]},
        },
    ),
    (
        "role_mapping/reports",
        {
            "enabled": True,
            "roles": ["reports"],
            "rules": {
                "all": [{"field": {"realm.name": "google"}}, {"field": {"username": account("reports")}}],
            },
        },
    ),
)
"""Rights that people gave before there was an operator."""
_NIGHTLY: Final[dict[str, Any]] = {
    "grant_type": "password",
    "username": "etl",
    "password": OPERATOR_PASSWORD,
    "api_key": {"name": "nightly"},
}
_KINDS: Final = "searchaccesses,searchaccesspolicies,searchaccessapprovals"
_ORDERS: Final[tuple[dict[str, Any], ...]] = (
    {"region": "eu", "total": 42, "customer": {"name": "Ada", "ssn": "078-05-1120"}, "payment": {"iban": "…"}},
    {"region": "us", "total": 7, "customer": {"name": "Bob", "ssn": "219-09-9999"}, "payment": {"iban": "…"}},
)


class HowtoStage:
    """Servers, the operator and the examples; each page begins with exactly these."""

    def __init__(self, world: World, folder: Path, people: Mapping[str, Path]) -> None:
        self.world = world
        self._folder = folder
        self._people = people
        self._own = _objects()

    @contextmanager
    def shell(self, page: str) -> Iterator[Shell]:
        """Give a shell in a folder of its own, with the examples applied and nothing else."""
        self._clean()
        folder = self._folder / Path(page).stem
        folder.mkdir()
        for name in ("crds", "deploy", "examples"):
            (folder / name).symlink_to(ROOT / name)
        url = self.world.elasticsearch.url
        shell = Shell(folder, self._environment(folder), self._people, {url: _URL})
        try:
            if lines := PREPARATIONS.get(page):
                shell.run(Block(lines, "", ""))
            yield shell
        finally:
            shell.close()

    def _clean(self) -> None:
        """Take away what the last page left, and apply the SearchCluster and the examples."""
        kubectl, admin = self.world.kubernetes.run_kubectl, self.world.admin
        # With the label, the examples would need somebody who requests them.
        kubectl("label", "namespace", "shop", f"{APPROVAL_LABEL}-")
        raw = kubectl("get", _KINDS, "-A", "-o", "json").stdout
        for item in json.loads(raw)["items"]:
            metadata = item["metadata"]
            key = (item["kind"], metadata.get("namespace", ""), metadata["name"])
            if key not in self._own:
                kubectl("delete", item["kind"], metadata["name"], f"--namespace={key[1]}", "--timeout=60s")
        kept = {name for name, _ in _BROWNFIELD}
        for name in admin.get("/_security/role_mapping").json():
            if f"role_mapping/{name}" not in kept and not name.startswith("searchaccess."):
                admin.delete(f"/_security/role_mapping/{name}").raise_for_status()
        stores = [{"name": "main", "kubernetes": {}}]
        self.world.apply(self.world.cluster(secretStores=stores, drift={"probeEvery": "500ms"}))
        kubectl("apply", *(f"--filename={file}" for file in EXAMPLES))
        self.world.until_cluster_reason(CLUSTER, "InSync", within=120)
        for (_, namespace, name), raw_object in self._own.items():
            reason = "ChangesPending" if raw_object["spec"].get("mode") == "Observe" else "InSync"
            self.world.until_reason(name, reason, namespace=namespace)

    def _environment(self, folder: Path) -> dict[str, str]:
        elasticsearch = self.world.elasticsearch
        programs = folder / ".programs"
        programs.mkdir()
        gcloud = programs / "gcloud"
        gcloud.write_text(_GCLOUD)
        gcloud.chmod(gcloud.stat().st_mode | stat.S_IXUSR)
        host = httpx.URL(elasticsearch.url).host
        netrc = folder / ".netrc"
        netrc.touch(mode=0o600)
        netrc.write_text(f"machine {host} login {elasticsearch.username} password {elasticsearch.password}\n")
        key = folder / ".issuer.pem"
        elasticsearch.issuer.save(key)
        kubectl = self.world.kubernetes.kubectl.parent
        path = f"{programs}:{Path(sys.executable).parent}:{kubectl}:{os.environ['PATH']}"
        return {
            "PATH": path,
            "HOME": str(folder),
            "LANG": "C.UTF-8",
            "COLUMNS": "120",
            "KUBECONFIG": str(self.world.kubernetes.kubeconfig),
            "ES": elasticsearch.url,
            "CURL_CA_BUNDLE": str(elasticsearch.ca_file),
            "PYTHONPATH": str(ROOT / "operator" / "src"),
            "HOWTO_ROOT": str(ROOT),
            "HOWTO_PYTHON": sys.executable,
            "HOWTO_KEY": str(key),
        }


@contextmanager
def howto_stage(folder: Path) -> Iterator[HowtoStage]:
    """Start servers and the operator, and give a stage for pages.

    Args:
        folder: empty.
    """
    with KubernetesServers(PEOPLE) as kubernetes, LocalElasticsearch() as elasticsearch:
        world = World(kubernetes, elasticsearch, folder)
        world.install()
        kubectl = kubernetes.run_kubectl
        kubectl("apply", *(f"--filename={ROOT / 'deploy' / name}.yaml" for name in ("approvals", "users")))
        kubectl("apply", "--namespace=shop", f"--filename={ROOT / 'deploy' / 'kubernetes-store.yaml'}")
        world.make_login(LOGIN, OPERATOR_USER, OPERATOR_PASSWORD, _ROLE)
        for number, order in enumerate(_ORDERS, 1):
            world.admin.put(f"/orders-2026/_doc/{number}?refresh", json=order).raise_for_status()
        for name, body in _BROWNFIELD:
            world.admin.put(f"/_security/{name}", json=body).raise_for_status()
        world.admin.post("/_security/api_key/grant", json=_NIGHTLY).raise_for_status()
        with world.running():
            stage = HowtoStage(world, folder, {name: kubernetes.kubeconfig_of(name) for name in PEOPLE})
            yield stage


def _objects() -> dict[tuple[str, str, str], dict[str, Any]]:
    found = {}
    for file in EXAMPLES:
        for raw in yaml.safe_load_all(file.read_text()):
            found[raw["kind"], raw["metadata"].get("namespace", ""), raw["metadata"]["name"]] = raw
    return found
