"""A gateway's objects in Kubernetes, in memory and for real, with no right beyond those of deploy/gateway.yaml."""

import base64
import json
import secrets
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, Final

import pytest

from searchaccess.adapters.kubernetes import gateways
from searchaccess.adapters.kubernetes.client import KubernetesClient, load_configuration
from searchaccess.adapters.kubernetes.gateways import KubernetesGateways
from searchaccess.core.credentials.sealed import Sealed
from searchaccess.core.gateway.facts import Pod
from searchaccess.core.gateway.login import parts_of, user_in
from searchaccess.core.gateway.objects import (
    CLUSTER,
    HEIR,
    LABEL_GATEWAY,
    LOGIN,
    USER,
    Holder,
    Place,
    Target,
    Wanted,
    owner_annotations,
    plan_object,
    wanted_object,
)
from searchaccess.core.gateway.render import render_login
from searchaccess.ports.errors import Conflict, NamespaceEnds, PermissionDenied
from searchaccess.ports.gateway import GatewayObjects
from tests.contract.conftest import MEMORY, REAL
from tests.stack.kubernetes import KubernetesServers
from tests.support.failures.faults import Faults
from tests.support.memory.gateways import MemoryGateways
from tests.support.operatorprocess import ROOT
from tests.support.waiting import eventually
from tests.support.worlds.world import AS_OPERATOR, SYSTEM

NAME: Final = "searchaccess-gateway"
HOLDER: Final = Holder("default", "prod", "uid-1")
NOW: Final = "2026-01-01T10:00:00Z"


@dataclass
class Side:
    """The objects of one namespace, and what others do there."""

    objects: GatewayObjects
    place: Place
    write: Callable[[Target, dict[str, str], dict[str, str]], None]
    """Write data and labels of an object, as somebody else."""
    drop: Callable[[Target], None]
    read: Callable[[Target], dict[str, str]]


def in_memory() -> Side:
    memory = MemoryGateways(Faults())

    def write(target: Target, data: dict[str, str], labels: dict[str, str]) -> None:
        known = memory.objects.get(target)
        before = dict(known.observed.labels) if known else {}
        memory.store(target, (known.data if known else {}) | data, labels=before | labels)

    def drop(target: Target) -> None:
        memory.objects.pop(target)

    return Side(memory, Place("gateways", NAME), write, drop, lambda target: memory.objects[target].data)


async def for_real(servers: KubernetesServers) -> tuple[Side, KubernetesClient]:
    kubectl, namespace = servers.run_kubectl, f"gateway-{secrets.token_hex(3)}"
    kubectl("create", "namespace", namespace)
    kubectl("apply", "-n", namespace, "-f", str(ROOT / "deploy" / "gateway.yaml"))
    kubeconfig = servers.service_account_kubeconfig(SYSTEM, "searchaccess-operator")
    client = KubernetesClient(await load_configuration(kubeconfig))
    eventually(lambda: servers.may("list", "pods", "-n", namespace, AS_OPERATOR), within=60)

    def write(target: Target, data: dict[str, str], labels: dict[str, str]) -> None:
        found = {key: base64.b64encode(value.encode()).decode() for key, value in data.items()}
        body = {
            "apiVersion": "v1",
            "kind": target.kind,
            "metadata": {"name": target.name, "namespace": namespace, "labels": labels},
            "data": found if target.kind == "Secret" else data,
        }
        kubectl("apply", "--server-side", "--force-conflicts", "-f", "-", input=json.dumps(body))

    def read(target: Target) -> dict[str, str]:
        raw: dict[str, Any] = json.loads(
            kubectl("get", target.kind.lower(), target.name, "-n", namespace, "-o", "json").stdout
        )
        if target.kind == "Secret":
            return {key: base64.b64decode(value).decode() for key, value in raw["data"].items()}
        return dict(raw["data"])

    def drop(target: Target) -> None:
        kubectl("delete", target.kind.lower(), target.name, "-n", namespace)

    return Side(KubernetesGateways(client), Place(namespace, NAME), write, drop, read), client


@pytest.fixture(params=[MEMORY, REAL])
async def side(request: pytest.FixtureRequest) -> AsyncIterator[Side]:
    if request.param == MEMORY:
        yield in_memory()
        return
    made, client = await for_real(request.getfixturevalue("installed"))
    yield made
    await client.close()


def config(side: Side, version: str = "1", **data: str) -> Wanted:
    values = {key: Sealed(value) for key, value in (data or {"listeners": "a", "clusters": "b"}).items()}
    return wanted_object(side.place.config, HOLDER, NAME, version, values, NOW)


async def test_what_was_written_reads_back_as_it_was_meant(side: Side) -> None:
    wanted = config(side)
    assert await side.objects.read(wanted.target) is None
    written = await side.objects.write(wanted, None)
    found = await side.objects.read(wanted.target)
    assert found == written
    assert found is not None
    assert found.is_as_written
    assert found.belongs_to(HOLDER)
    assert side.read(wanted.target) == {"listeners": "a", "clusters": "b"}
    assert plan_object(wanted, found, HOLDER, applied=True) == plan_object(wanted, found, HOLDER)
    assert not plan_object(wanted, found, HOLDER).write


async def test_another_version_replaces_the_data_and_keeps_labels_of_others(side: Side) -> None:
    written = await side.objects.write(config(side), None)
    side.write(side.place.config, {"more": "x"}, {"team": "search"})
    with pytest.raises(Conflict):
        await side.objects.write(config(side, "2"), written)
    found = await side.objects.read(side.place.config)
    assert found is not None
    assert not found.is_as_written
    await side.objects.write(config(side, "2", listeners="c", clusters="d"), found)
    assert side.read(side.place.config) == {"listeners": "c", "clusters": "d"}
    found = await side.objects.read(side.place.config)
    assert found is not None
    assert (found.labels["team"], found.labels[LABEL_GATEWAY]) == ("search", NAME)


async def test_nothing_is_created_over_another_object(side: Side) -> None:
    side.write(side.place.config, {"theirs": "x"}, {})
    with pytest.raises(Conflict):
        await side.objects.write(config(side), None)
    found = await side.objects.read(side.place.config)
    assert found is not None
    assert plan_object(config(side), found, HOLDER).conflict
    assert side.read(side.place.config) == {"theirs": "x"}


async def test_what_was_deleted_meanwhile_is_a_conflict(side: Side) -> None:
    written = await side.objects.write(config(side), None)
    side.drop(side.place.config)
    with pytest.raises(Conflict):
        await side.objects.write(config(side, "2"), written)
    await side.objects.write(config(side), None)


async def test_only_what_was_read_is_deleted(side: Side) -> None:
    written = await side.objects.write(config(side), None)
    side.write(side.place.config, {"more": "x"}, {})
    with pytest.raises(Conflict):
        await side.objects.delete(side.place.config, written)
    found = await side.objects.read(side.place.config)
    assert found is not None
    await side.objects.delete(side.place.config, found)
    assert await side.objects.read(side.place.config) is None
    await side.objects.delete(side.place.config, found)


async def test_a_login_reads_back_and_a_changed_one_is_seen(side: Side) -> None:
    data = {LOGIN: render_login("user-a", Sealed("s3cret:with:colons"))}
    wanted = wanted_object(side.place.login, HOLDER, NAME, "1", data, NOW)
    wanted = replace(wanted, annotations=dict(wanted.annotations) | {USER: "user-a"})
    found = await side.objects.write(wanted, None)
    assert user_in(found) == "user-a"
    parts = parts_of(found.login)
    assert parts is not None
    assert (parts[0], parts[1].reveal()) == ("user-a", "s3cret:with:colons")
    assert "s3cret" not in repr(found)
    side.write(side.place.login, {LOGIN: "Basic eDp5"}, {})
    found_again = await side.objects.read(side.place.login)
    assert found_again is not None
    assert user_in(found_again) == ""


def create_pod(installed: KubernetesServers, namespace: str, name: str, **status: Any) -> None:
    """Create a pod of the gateway, as a kubelet would report it."""
    accounts = json.dumps(
        {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "envoy", "namespace": namespace}}
    )
    installed.run_kubectl("apply", "-f", "-", input=accounts)
    containers = [{"name": "envoy", "image": "envoy"}]
    spec = {"containers": containers, "serviceAccountName": "envoy", "automountServiceAccountToken": False}
    meta = {"name": name, "namespace": namespace, "labels": {LABEL_GATEWAY: NAME}}
    body = {"apiVersion": "v1", "kind": "Pod", "metadata": meta, "spec": spec}
    installed.run_kubectl("create", "-f", "-", input=json.dumps(body))
    patch = json.dumps({"status": status})
    installed.run_kubectl("patch", "pod", name, "-n", namespace, "--subresource=status", "--type=merge", "-p", patch)


async def test_pods_are_listed_with_the_reason_for_which_they_do_not_run(
    installed: KubernetesServers, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Those that have ended, such as evicted ones, may be more than are read, and come first.
    monkeypatch.setattr(gateways, "MOST_PODS", 5)
    side, client = await for_real(installed)
    namespace = side.place.namespace

    pod = partial(create_pod, installed, namespace)
    pod("pod-a", phase="Running", podIP="10.1.1.1")
    running = {"name": "envoy", "image": "envoy", "imageID": "x", "ready": False, "restartCount": 1}
    again = running | {"state": {"running": {"startedAt": "2026-01-01T11:00:00Z"}}}
    times = {"startTime": "2026-01-01T10:00:00Z", "containerStatuses": [again]}
    pod("pod-c", phase="Running", podIP="10.1.1.2", **times)
    pod("pod-b", phase="Pending")
    waits = running | {"state": {"waiting": {"reason": "ImagePullBackOff", "message": "no such image"}}}
    pod("pod-d", phase="Pending", containerStatuses=[waits])
    pod("pod-e", phase="Pending", conditions=[{"type": "PodScheduled", "status": "False", "reason": "Unschedulable"}])
    for name, phase in (("evicted", "Failed"), ("done", "Succeeded")):
        pod(name, phase=phase, podIP="10.1.1.3")
    found = await side.objects.pods(namespace, NAME)
    assert found == [
        Pod("pod-a", "10.1.1.1"),
        Pod("pod-b", "", waits="Pending"),
        Pod("pod-c", "10.1.1.2", "2026-01-01T11:00:00Z"),
        Pod("pod-d", "", waits="ImagePullBackOff"),
        Pod("pod-e", "", waits="Unschedulable"),
    ]
    assert await side.objects.pods(namespace, "another") == []

    def raw() -> dict[str, Any]:
        return dict(json.loads(installed.run_kubectl("get", "pod", "pod-c", "-n", namespace, "-o", "json").stdout))

    before = raw()
    for mark in ("first", "second"):
        await side.objects.mark_pod(namespace, "pod-c", mark)
        [marked] = [one for one in await side.objects.pods(namespace, NAME) if one.name == "pod-c"]
        assert marked == replace(found[2], mark=mark)
    after = raw()
    assert after["metadata"]["annotations"] == {"searchaccess.dev/refresh": "second"}
    assert (after["spec"], after["status"]) == (before["spec"], before["status"]), "nothing else has changed"
    await side.objects.mark_pod(namespace, "gone", "first")
    # What the right can do besides, as docs/gateway-operations.md says.
    path, merge = f"/api/v1/namespaces/{namespace}/pods/pod-c", "application/merge-patch+json"
    with pytest.raises(PermissionDenied):
        await client.call("PATCH", path, {"metadata": {"labels": {"team": "other"}}}, merge)
    changes = {"metadata": {"labels": {"team": "other"}}, "spec": {"containers": [{"name": "envoy", "image": "other"}]}}
    await client.call("PATCH", f"{path}/status", changes, merge)
    now = raw()
    assert now["metadata"]["labels"] == {LABEL_GATEWAY: NAME, "team": "other"}
    assert now["spec"] == before["spec"]
    await client.close()


async def test_a_pod_that_is_being_deleted_is_listed_as_long_as_it_runs(installed: KubernetesServers) -> None:
    side, client = await for_real(installed)
    namespace = side.place.namespace

    async def listed() -> list[Pod]:
        return [one for one in await side.objects.pods(namespace, NAME) if one.name == "pod-z"]

    states = {"running": {"startedAt": "2026-01-01T11:00:00Z"}}, {"terminated": {"exitCode": 0}}
    has = {"name": "envoy", "image": "envoy", "imageID": "x", "ready": False, "restartCount": 0}
    runs, ended = ({"containerStatuses": [has | {"state": state}]} for state in states)
    create_pod(installed, namespace, "pod-z", phase="Running", podIP="10.1.1.9", **runs)
    patch = ("patch", "pod", "pod-z", "-n", namespace, "--type=merge")
    installed.run_kubectl(*patch, "-p", json.dumps({"metadata": {"finalizers": ["example.com/stays"]}}))
    assert await listed() == [Pod("pod-z", "10.1.1.9", "2026-01-01T11:00:00Z")]
    installed.run_kubectl("delete", "pod", "pod-z", "-n", namespace, "--wait=false")
    read = installed.run_kubectl("get", "pod", "pod-z", "-n", namespace, "-o", "json").stdout
    ends = json.loads(read)["metadata"]["deletionTimestamp"]
    assert await listed() == [Pod("pod-z", "10.1.1.9", "2026-01-01T11:00:00Z", ends=ends)]
    installed.run_kubectl(*patch, "--subresource=status", "-p", json.dumps({"status": ended}))
    assert await listed() == []
    installed.run_kubectl(*patch, "-p", json.dumps({"metadata": {"finalizers": None}}))
    await client.close()


async def test_no_other_object_may_be_touched(installed: KubernetesServers) -> None:
    side, client = await for_real(installed)
    other = Place(side.place.namespace, "other")
    for target in (other.config, other.login, Place("kube-system", NAME).login):
        with pytest.raises(PermissionDenied):
            await side.objects.read(target)
    await client.close()


async def test_a_namespace_that_is_gone_with_the_rights_in_it_is_told_from_one_without_rights(
    installed: KubernetesServers,
) -> None:
    side, client = await for_real(installed)
    gone = Place(f"gone-{secrets.token_hex(3)}", NAME)
    with pytest.raises(NamespaceEnds):
        await side.objects.read(gone.login)
    found = await side.objects.write(config(side), None)
    with pytest.raises(NamespaceEnds):
        await side.objects.delete(gone.config, found)
    await client.close()


async def test_a_mark_hands_an_object_over_and_changes_nothing_else(side: Side) -> None:
    heir, wanted = Holder("default", "younger", "uid-2"), config(side)
    target = wanted.target
    made = await side.objects.write(wanted, None)
    assert plan_object(wanted, made, heir).conflict
    await side.objects.mark(target, made, {HEIR: heir.cluster})
    with pytest.raises(Conflict):
        await side.objects.mark(target, made, {HEIR: "another"})
    marked = await side.objects.read(target)
    assert marked is not None
    assert (marked.uid, marked.digests, marked.labels) == (made.uid, made.digests, made.labels)
    assert marked.annotations == {**made.annotations, HEIR: heir.cluster}
    assert marked.belongs_to(HOLDER), "until it is gone, it may delete it"
    assert marked.is_inherited(heir)
    now_its_own = replace(wanted, annotations={**wanted.annotations, **owner_annotations(heir)})
    plan = plan_object(now_its_own, marked, heir)
    assert (plan.write, plan.drift) == (True, ())
    taken = await side.objects.write(now_its_own, marked)
    assert taken.annotations[CLUSTER] == heir.cluster
    assert not taken.is_inherited(heir)
    assert not taken.belongs_to(HOLDER)
    await side.objects.delete(target, taken)
    with pytest.raises(Conflict):
        await side.objects.mark(target, taken, {HEIR: "another"})
