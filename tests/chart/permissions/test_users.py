"""What people may do with our kinds, through the ClusterRoles of the chart and of Kubernetes, and deploy/team.yaml."""

import json
from collections.abc import Iterator
from typing import Any

import pytest
import yaml

from tests.chart.helm import CHART, NAME, NAMESPACE, RELEASE, Helm, of_kind
from tests.stack.kubernetes import KubernetesServers
from tests.support.operatorprocess import ROOT
from tests.support.waiting import eventually

APPROVALS, POLICIES = "searchaccessapprovals", "searchaccesspolicies"
WRITES = ("create", "update", "patch", "delete", "deletecollection")
TEAM = ("--as=somebody", "--as-group=team-shop@example.com")


@pytest.fixture
def release(tool: Helm) -> Iterator[Helm]:
    yield tool
    tool.run("uninstall", RELEASE, "-n", NAMESPACE, "--ignore-not-found")


def may(servers: KubernetesServers, *who: str, verb: str, what: str = "searchaccesses", where: str = "shop") -> bool:
    """Ask the API server; where nothing is named, for all namespaces or for a kind that has none."""
    kind, _, part = what.partition("/")
    options = (
        *(("-n", where) if where else ("--all-namespaces",)),
        *((f"--subresource={part}",) if part else ()),
        *who,
    )
    return servers.may(verb, f"{kind}.searchaccess.dev", *options)


def until_may(servers: KubernetesServers, *who: str, **what: str) -> None:
    """Wait until somebody may do something: the API server knows a right a moment after it was given."""
    eventually(lambda: may(servers, *who, **what), what=f"{who}: {what}")


@pytest.fixture(scope="module")
def people(installed: KubernetesServers) -> None:
    """One for each ClusterRole of Kubernetes, by its name, in the namespace shop."""
    for role in ("view", "edit", "admin"):
        installed.run_kubectl("create", "rolebinding", role, f"--clusterrole={role}", f"--user={role}", "-n", "shop")


@pytest.mark.usefixtures("people")
@pytest.mark.parametrize(
    ("values", "writers"),
    [
        ({}, set()),
        ({"rbac": {"aggregateToAdmin": True}}, {"admin"}),
        ({"rbac": {"aggregateToEdit": True}}, {"edit", "admin"}),
    ],
    ids=["as it comes", "admin", "edit"],
)
def test_who_is_bound_to_the_usual_roles_sees_and_declares_only_where_a_value_says_so(
    release: Helm, installed: KubernetesServers, values: dict[str, Any], writers: set[str]
) -> None:
    release.run("upgrade", "--install", RELEASE, str(CHART), "-n", NAMESPACE, values=values)
    for role in ("view", "edit", "admin"):

        def as_meant(role: str = role) -> bool:
            who = f"--as={role}"
            sees = may(installed, who, verb="get") and may(installed, who, verb="list", what=APPROVALS)
            return sees and may(installed, who, verb="create") is (role in writers)

        # The controller manager aggregates a moment later.
        eventually(as_meant, within=60, what=f"rights of {role}")
        for verb in WRITES:
            assert not may(installed, f"--as={role}", verb=verb, what=APPROVALS), "nobody approves for the own team"
            for platform in ("searchclusters", POLICIES):
                assert not may(installed, f"--as={role}", verb=verb, what=platform, where="")
        assert not may(installed, f"--as={role}", verb="patch", what="searchaccesses/status")
        assert not may(installed, f"--as={role}", verb="get", where="billing")


def test_the_clusterroles_can_be_bound_by_name(release: Helm, installed: KubernetesServers) -> None:
    release.run("upgrade", "--install", RELEASE, str(CHART), "-n", NAMESPACE, values={})
    for name in ("view", "edit", "approve"):
        options = (f"--clusterrole={NAME}-{name}", f"--user={name}-only", "-n", "billing")
        installed.run_kubectl("create", "rolebinding", f"{name}-only", *options)
    until_may(installed, "--as=view-only", verb="list", where="billing")
    assert not may(installed, "--as=view-only", verb="create", where="billing")
    until_may(installed, "--as=edit-only", verb="delete", where="billing")
    until_may(installed, "--as=approve-only", verb="create", what=APPROVALS, where="billing")
    for who, approves in (("view", False), ("edit", False), ("approve", True)):
        assert may(installed, f"--as={who}-only", verb="create", what=APPROVALS, where="billing") is approves
    assert not may(installed, "--as=approve-only", verb="create", where="billing")


def test_policies_are_written_by_who_is_bound_for_the_whole_cluster(
    release: Helm, installed: KubernetesServers
) -> None:
    release.run("upgrade", "--install", RELEASE, str(CHART), "-n", NAMESPACE, values={})
    name = f"{NAME}-policies"
    installed.run_kubectl("create", "clusterrolebinding", name, f"--clusterrole={name}", "--user=platform")
    installed.run_kubectl("create", "rolebinding", name, f"--clusterrole={name}", "--user=local", "-n", "shop")
    for verb in ("get", "list", "watch", *WRITES):
        until_may(installed, "--as=platform", verb=verb, what=POLICIES, where="")
    for verb in WRITES:
        for what in ("searchaccesses", APPROVALS, "searchclusters", f"{POLICIES}/status", f"{POLICIES}/finalizers"):
            assert not may(installed, "--as=platform", verb=verb, what=what, where="")

    def complaint(who: str) -> str:
        body = {"apiVersion": "searchaccess.dev/v1alpha1", "kind": "SearchAccessPolicy", "metadata": {"name": "own"}}
        text = json.dumps(body | {"spec": {"limits": {"adopt": False}}})
        create = ("create", "--dry-run=server", "-f", "-", f"--as={who}")
        return installed.run_kubectl(*create, input=text, check=False).stderr

    assert not complaint("platform")
    assert "forbidden" in complaint("local"), "a policy has no namespace, so a binding in one gives nothing"
    installed.run_kubectl("delete", "clusterrolebinding", name)


def test_nobody_gets_policies_or_approvals_by_aggregation(tool: Helm) -> None:
    aggregated = {"rbac": {"aggregateToView": True, "aggregateToEdit": True, "aggregateToAdmin": True}}
    plain = yaml.safe_load_all((ROOT / "deploy" / "users.yaml").read_text())
    for raw in (*of_kind(tool.render(aggregated), "ClusterRole"), *plain):
        labels = raw["metadata"].get("labels", {})
        if any(label.startswith("rbac.authorization.k8s.io/aggregate-to-") for label in labels):
            for rule in raw["rules"]:
                writes = not {"get", "list", "watch"}.issuperset(rule["verbs"])
                assert not (writes and {POLICIES, APPROVALS, "*"}.intersection(rule["resources"])), raw["metadata"]


def test_a_team_declares_access_in_its_own_namespace(installed: KubernetesServers) -> None:
    installed.run_kubectl("apply", "-n", "shop", "-f", str(ROOT / "deploy" / "team.yaml"))
    for verb in ("get", "list", "watch", "create", "update", "patch", "delete"):
        until_may(installed, *TEAM, verb=verb)
        assert not may(installed, *TEAM, verb=verb, where="billing")
    assert not may(installed, *TEAM, verb="patch", what="searchaccesses/status")
    assert installed.may("list", "events", "-n", "shop", *TEAM)
    installed.run_kubectl("delete", "-n", "shop", "-f", str(ROOT / "deploy" / "team.yaml"))
