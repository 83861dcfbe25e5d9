"""What the API server vouches for: nobody requests or approves access in the name of somebody else.

Which approvals count is the table in tests/unit/policy/consent. Each user here may do everything, so that only the
admission policies refuse.
"""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import pytest

from searchaccess.api.vouching import ADMISSION_GROUP, APPROVERS, BINDINGS, OBJECTS, POLICIES
from searchaccess.core.policy.consent.vouching import Vouching, vouching_of
from tests.stack.kubernetes import KubernetesServers
from tests.support.operatorprocess import ROOT
from tests.support.waiting import eventually
from tests.support.worlds.world import access, grant

pytestmark = pytest.mark.one_release

FILE = str(ROOT / "deploy" / "approvals.yaml")
PLAIN, LABELED = "vouched", "vouched-approval"
REQUESTED_BY = "searchaccess.dev/requested-by"
WITHIN = 60.0


@dataclass(frozen=True)
class Server:
    """The API server with the admission policies for approvals."""

    servers: KubernetesServers

    def run(self, who: str, *arguments: str, body: Any = None, groups: tuple[str, ...] = ()) -> str:
        """Run kubectl as a user who may do everything; return what it complains about."""
        user = (f"--as={who}", *(f"--as-group={name}" for name in ("system:masters", *groups)))
        text = json.dumps(body) if body else None
        return self.servers.run_kubectl(*arguments, *user, input=text, check=False).stderr

    def vouching(self) -> Vouching:
        done = self.servers.run_kubectl("get", f"{POLICIES},{BINDINGS}", "-o", "json")
        items = {(raw["kind"], raw["metadata"]["name"]): raw for raw in json.loads(done.stdout)["items"]}
        kinds = {POLICIES: "ValidatingAdmissionPolicy", BINDINGS: "ValidatingAdmissionPolicyBinding"}
        return vouching_of({each: items.get((kinds[each.plural], each.name)) for each in OBJECTS})


def approval(name: str, by: str, *groups: str, namespace: str = PLAIN) -> dict[str, Any]:
    who = {"username": by} | ({"groups": list(groups)} if groups else {})
    return {
        "apiVersion": "searchaccess.dev/v1alpha1",
        "kind": "SearchAccessApproval",
        "metadata": {"name": name, "namespace": namespace},
        "spec": {"name": "orders", "uid": "1", "generation": 1, "approvedBy": who},
    }


def requested(by: str, *, name: str = "orders", namespace: str = PLAIN) -> dict[str, Any]:
    annotations = {REQUESTED_BY: by} if by else {}
    return access(name, grant("orders-*"), namespace=namespace, annotations=annotations)


@pytest.fixture(scope="module")
def server(kubernetes_servers: KubernetesServers) -> Iterator[Server]:
    one = Server(kubernetes_servers)
    kubernetes_servers.install_kinds(ROOT / "crds")
    for name in (PLAIN, LABELED):
        kubernetes_servers.run_kubectl("create", "namespace", name)
    kubernetes_servers.run_kubectl("label", "namespace", LABELED, "searchaccess.dev/approval=required")
    kubernetes_servers.run_kubectl("apply", "-f", FILE)
    create = ("create", "--dry-run=server", "-f", "-")
    for probe in (approval("probe", "eve"), requested("eve"), requested("", namespace=LABELED)):
        eventually(partial(one.run, "ann", *create, body=probe), within=WITHIN, what="it is checked")
    for stored in (approval("stored", "bob"), approval("kept", "bob")):
        assert not one.run("bob", "create", "-f", "-", body=stored)
    for stored in (requested("ann"), requested("", name="unsaid"), requested("ann", namespace=LABELED)):
        assert not one.run("ann", "create", "-f", "-", body=stored)
    yield one
    # Other modules share the API server.
    kubernetes_servers.run_kubectl("delete", "-f", FILE, "--ignore-not-found")
    kubernetes_servers.run_kubectl("delete", "namespace", PLAIN, LABELED, "--wait=false")


@dataclass(frozen=True)
class Case:
    """One request, and what the API server says.

    Args:
        who: the user.
        command: what kubectl does.
        says: a part of the refusal; empty: it is allowed.
        body: the object.
        groups: more groups of the user.
    """

    who: str
    command: tuple[str, ...]
    says: str = ""
    body: dict[str, Any] = field(default_factory=dict)
    groups: tuple[str, ...] = ()


def create(who: str, body: dict[str, Any], says: str = "", *groups: str) -> Case:
    return Case(who, ("create", "--dry-run=server", "-f", "-"), says, body, groups)


def change(who: str, what: str, patch: dict[str, Any], says: str = "", namespace: str = PLAIN, *more: str) -> Case:
    kind, _, name = what.partition("/")
    flags = ("--dry-run=server", "--type=merge", "-p", json.dumps(patch), *more)
    return Case(who, ("patch", kind, name, "-n", namespace, *flags), says)


def noted(by: str | None, **spec: Any) -> dict[str, Any]:
    return {"metadata": {"annotations": {REQUESTED_BY: by}}} | ({"spec": spec} if spec else {})


ACCESS, APPROVAL = "searchaccess/orders", "searchaccessapproval/stored"
OTHER = {"suspend": True}
NOT_YOU = "spec.approvedBy.username is not you: write "
NOT_YOURS = "spec.approvedBy.groups has a group that is not yours"
WRITES = f"the annotation {REQUESTED_BY} must name who writes the spec: write "
NEEDED = f'access in this namespace needs an approval: add the annotation {REQUESTED_BY}: "'
FIXED = "an approval cannot be changed: delete it, and create another one"
FINALIZERS = {"metadata": {"finalizers": ["example.com/kept"], "labels": {"a": "b"}}}
CASES: dict[str, Case] = {
    "one approves in one's own name": create("bob", approval("new", "bob")),
    "one approves in the name of another": create("ann", approval("new", "bob"), NOT_YOU + "ann"),
    "one approves in another spelling of one's own name": create("bob", approval("new", "Bob"), NOT_YOU + "bob"),
    "one names a group of one's own": create("bob", approval("new", "bob", "leads"), "", "leads"),
    "one names a group of others": create("bob", approval("new", "bob", "leads"), NOT_YOURS, "teams"),
    "one names two groups, and one is of others": create("bob", approval("new", "bob", "a", "b"), NOT_YOURS, "a"),
    "one names a group with one's own name": create("bob", approval("new", "bob", "bob"), NOT_YOURS),
    "a name is forged in any other namespace": create("ann", approval("new", "bob", namespace="default"), NOT_YOU),
    "a service account approves as itself": create(
        "system:serviceaccount:ci:bot", approval("new", "system:serviceaccount:ci:bot")
    ),
    "an approval gets another author": change("ann", APPROVAL, {"spec": {"approvedBy": {"username": "ann"}}}, FIXED),
    "an approval is moved to another generation": change("bob", APPROVAL, {"spec": {"generation": 2}}, FIXED),
    "somebody moves an approval of others": change("ann", APPROVAL, {"spec": {"generation": 2}}, FIXED),
    "others label an approval, and hold it": change("ann", APPROVAL, FINALIZERS),
    "others delete an approval": Case("ann", ("delete", *APPROVAL.split("/"), "-n", PLAIN, "--dry-run=server")),
    "one requests in one's own name": create("ann", requested("ann", name="new")),
    "one requests in the name of another": create("ann", requested("bob", name="new"), WRITES + "ann"),
    "nobody is said to request it": create("ann", requested("", name="new")),
    "nobody is said to request it where that is wanted": create(
        "ann", requested("", name="new", namespace=LABELED), NEEDED + 'ann"'
    ),
    "one requests it where that is wanted": create("ann", requested("ann", name="new", namespace=LABELED)),
    "another edits the spec": change("bob", ACCESS, {"spec": OTHER}, WRITES + "bob"),
    "another edits the spec in their own name": change("bob", ACCESS, noted("bob", **OTHER)),
    "another edits the spec, and says nobody": change("bob", ACCESS, noted(None, **OTHER)),
    "another edits the spec, and says nobody where that is wanted": change(
        "bob", ACCESS, noted(None, **OTHER), NEEDED + 'bob"', LABELED
    ),
    "one edits one's own spec": change("ann", ACCESS, {"spec": OTHER}),
    "one says that another requested it": change("ann", ACCESS, noted("bob"), WRITES + "ann"),
    "one says that another requested it, where nobody was said": change(
        "ann", "searchaccess/unsaid", noted("bob"), WRITES + "ann"
    ),
    "one says that nobody requested it where that is wanted": change(
        "ann", ACCESS, noted(None), NEEDED + 'ann"', LABELED
    ),
    "others label it, and hold it": change("bob", ACCESS, FINALIZERS),
    "others write its status": change(
        "bob", ACCESS, {"status": {"conditions": [], "access": "r"}}, "", PLAIN, "--subresource=status"
    ),
    "others delete it": Case("bob", ("delete", *ACCESS.split("/"), "-n", PLAIN, "--dry-run=server")),
}


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_the_api_server_decides(case: Case, server: Server) -> None:
    said = server.run(case.who, *case.command, body=case.body, groups=case.groups)
    assert case.says in said if case.says else not said


def test_it_vouches_for_names(server: Server) -> None:
    assert server.vouching().since


LIMITED = {"namespaceSelector": {"matchLabels": {"team": "shop"}}}
WEAKER: dict[str, tuple[str, dict[str, Any]]] = {
    "the binding audits": (BINDINGS, {"validationActions": ["Audit"]}),
    "the binding warns": (BINDINGS, {"validationActions": ["Warn"]}),
    "the binding is for some namespaces": (BINDINGS, {"matchResources": LIMITED}),
    "the policy fails open": (POLICIES, {"failurePolicy": "Ignore"}),
    "the policy is for some namespaces": (POLICIES, {"matchConstraints": LIMITED}),
}


@contextmanager
def weakened(server: Server, plural: str, spec: dict[str, Any]) -> Iterator[None]:
    patch = json.dumps({"spec": spec})
    server.servers.run_kubectl("patch", f"{plural}.{ADMISSION_GROUP}", APPROVERS, "--type=merge", "-p", patch)
    try:
        yield
    finally:
        server.servers.run_kubectl("replace", "-f", FILE)


@pytest.mark.parametrize(("plural", "spec"), WEAKER.values(), ids=WEAKER)
def test_it_vouches_for_nobody_while(plural: str, spec: dict[str, Any], server: Server) -> None:
    with weakened(server, plural, spec):
        assert server.vouching().since is None
    assert server.vouching().since


def test_without_its_binding_a_name_can_be_forged_and_nothing_is_vouched_for(server: Server) -> None:
    forged = create("ann", approval("forged", "bob"))

    def is_taken() -> bool:
        return not server.run(forged.who, *forged.command, body=forged.body)

    server.servers.run_kubectl("delete", f"{BINDINGS}.{ADMISSION_GROUP}", APPROVERS)
    assert f"{APPROVERS} is missing" in server.vouching().problem
    eventually(is_taken, within=WITHIN, what="the API server knows it")
    server.servers.run_kubectl("apply", "-f", FILE)
    assert server.vouching().since
    eventually(lambda: not is_taken(), within=WITHIN, what="it is checked again")
