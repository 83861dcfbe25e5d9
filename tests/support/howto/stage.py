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

from searchaccess.api.vouching import APPROVAL_LABEL, BINDINGS, POLICIES
from tests.stack.elasticsearch import LocalElasticsearch
from tests.stack.kubernetes import KubernetesServers
from tests.support.howto.preparations import PREPARATIONS
from tests.support.howto.session import Shell
from tests.support.operatorprocess import ROOT
from tests.support.shellblocks import Block
from tests.support.waiting import eventually
from tests.support.worlds.world import (
    LOGIN,
    OPERATOR_PASSWORD,
    OPERATOR_ROLE,
    OPERATOR_USER,
    World,
    account,
    condition_in,
    json_list,
)

PAGES: Final = (
    "docs/status.md",
    "docs/troubleshooting.md",
    "docs/answers.md",
    "docs/plan.md",
    "docs/lint.md",
    "docs/audit.md",
    "docs/policies.md",
    "docs/admission.md",
    "docs/jobs.md",
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
SERVERLESS: Final = frozenset(
    {
        "docs/plan.md",
        "docs/lint.md",
        "docs/secret-manager.md",
        "docs/eck.md",
        "docs/elastic-cloud.md",
    }
)
"""Pages whose commands ask no server, so that nothing has to be cleaned before."""
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
_SETTLED: Final = "searchaccesses,searchclusters"
_KINDS: Final = f"searchaccesses,searchaccesspolicies,searchaccessapprovals,{POLICIES},{BINDINGS}"
_RIGHTS: Final = ("role/searchaccess-team", "rolebinding/searchaccess-team", "rolebinding/searchaccess-approve")
"""Of people, which pages give."""
_COMPONENT: Final = "app.kubernetes.io/component"
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
        """Yield a shell in a folder of its own, with the examples applied and nothing else."""
        if page not in SERVERLESS:
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
        for item in json.loads(kubectl("get", _KINDS, "-A", "-o", "json").stdout)["items"]:
            metadata = item["metadata"]
            key = (item["kind"], metadata.get("namespace", ""), metadata["name"])
            ours = item["apiVersion"].startswith("searchaccess.dev/") or _COMPONENT in metadata.get("labels", {})
            if ours and key not in self._own:
                # Some go with what they belong to.
                where = (f"--namespace={key[1]}", "--timeout=120s", "--ignore-not-found")
                kubectl("delete", item["kind"], metadata["name"], *where)
        kubectl("delete", *_RIGHTS, "--namespace=shop", "--ignore-not-found")
        kept = {name for name, _ in _BROWNFIELD}
        for kind in ("role_mapping", "user", "role"):
            for name, body in admin.get(f"/_security/{kind}").json().items():
                ours = name.startswith("searchaccess") or body["metadata"].get("_reserved")
                if f"{kind}/{name}" not in kept and not ours:
                    admin.delete(f"/_security/{kind}/{name}").raise_for_status()
        stores = [{"name": "main", "kubernetes": {}}]
        cluster = self.world.cluster(secretStores=stores, drift={"probeEvery": "500ms"})
        kubectl("apply", "--filename=-", *(f"--filename={file}" for file in EXAMPLES), input=json_list([cluster]))
        eventually(self._settled, within=120, every=0.3, what="the examples are settled")

    def _settled(self) -> bool:
        """Whether each example, and the SearchCluster, is as it is declared now."""
        found = json.loads(self.world.kubernetes.run_kubectl("get", _SETTLED, "-A", "-o", "json").stdout)["items"]
        for item in found:
            ready = condition_in(item, "Ready")
            expected = "ChangesPending" if item["spec"].get("mode") == "Observe" else "InSync"
            newest = item["metadata"]["generation"]
            if (ready.get("reason"), ready.get("observedGeneration")) != (expected, newest):
                return False
        return bool(found)

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
