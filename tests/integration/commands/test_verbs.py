"""Commands that ask the operator for something, on real servers: what they set, what becomes of it, what they say."""

import json
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from searchaccess.api.times.moments import moment
from searchaccess.api.vouching import BINDINGS, NAMES, POLICIES
from searchaccess.cli.main import app
from searchaccess.core.policy.consent.vouching import SETTLES
from tests.support.operatorprocess import ROOT
from tests.support.waiting import eventually
from tests.support.worlds.arena import PATIENCE, Arena
from tests.support.worlds.world import World, access, condition_in, grant, json_list

pytestmark = [pytest.mark.one_release, pytest.mark.timeout(300)]

STORES = [{"name": "main", "kubernetes": {}}]


def run(world: World, *arguments: str, kubeconfig: Path | None = None, code: int = 0) -> list[dict[str, Any]]:
    """Run a command as the administrator; return what became of each SearchAccess."""
    given = ("--kubeconfig", str(kubeconfig or world.kubernetes.kubeconfig), "-o", "json")
    done = CliRunner().invoke(app, [*arguments, *given])
    assert done.exit_code == code, done.output
    items: list[dict[str, Any]] = json.loads(done.stdout)["items"]
    return items


def test_a_credential_is_rotated_and_what_has_none_is_not(field: Arena) -> None:
    world = field.world
    world.kubernetes.run_kubectl("apply", "-n", "shop", "-f", str(ROOT / "deploy" / "kubernetes-store.yaml"))
    name = f"verbs-{world.instance}"
    keyed = access("keyed", grant("orders-*"), auth="Password", credential={"store": "main", "name": name})
    world.apply(field.cluster(secretStores=STORES), keyed, access("orders", grant("orders-*")))
    with field.running():
        field.until_in_sync(2)
        before = world.get("keyed")["status"]["credential"]
        [planned] = run(world, "rotate", "shop/keyed", "--dry-run")
        assert "dry run" in planned["message"]
        assert "rotate-requested-at" not in str(world.get("keyed")["metadata"].get("annotations"))
        keyed_line, orders_line = run(world, "rotate", "keyed", "orders", "-n", "shop", code=1)
        assert keyed_line["state"] == "done", keyed_line
        assert (orders_line["state"], orders_line["name"]) == ("refused", "orders")
        assert "identity tokens" in orders_line["message"]
        after = world.get("keyed")["status"]["credential"]
        assert after["version"] > before["version"]
        assert f"version {after['version']} ({after['username']})" in keyed_line["message"]
        shown = ("get", "searchaccess", "keyed", "-n", "shop", "-o", "json", "--show-managed-fields")
        fields = json.loads(world.kubernetes.run_kubectl(*shown).stdout)["metadata"]["managedFields"]
        assert "kubectl-searchaccess" in {one["manager"] for one in fields}


def test_what_is_suspended_keeps_its_rights_until_it_is_resumed(field: Arena) -> None:
    world = field.world
    some = [access(f"some-{number}", grant("orders-*")) for number in range(3)]
    for raw in some:
        raw["metadata"]["labels"] = {"team": "shop"}
    world.apply(field.cluster(), *some)
    with field.running():
        field.until_in_sync(3)
        [one] = run(world, "suspend", "some-0", "-n", "shop")
        assert one["state"] == "done"
        changed = [{"names": ["changed"], "privileges": ["read"]}]
        world.write_role("some-0", world.role("some-0") | {"indices": changed})
        lines = run(world, "suspend", "-n", "shop", "-l", "team=shop", "--yes", code=1)
        assert [line["state"] for line in lines] == ["refused", "done", "done"]
        assert lines[0]["message"] == "it is suspended already"
        assert [entry["names"] for entry in world.role("some-0")["indices"]] == [["changed"]]
        lines = run(world, "resume", "-A", "--all", "--yes")
        assert [line["state"] for line in lines] == ["done", "done", "done"]
        assert [entry["names"][0] for entry in world.role("some-0")["indices"]] == ["orders-*"]
        world.patch("some-1", {"spec": {"cluster": "nowhere"}})
        [line] = run(world, "refresh", "shop/some-1", code=1)
        assert line["message"].startswith("ClusterNotFound")
        assert line["nextStep"]


def test_what_the_operator_does_not_do_in_time_is_said(field: Arena) -> None:
    world = field.world
    world.apply(field.cluster(), access("orders", grant("orders-*")))
    [line] = run(world, "refresh", "shop/orders", "--timeout", "1s", code=1)
    assert (line["state"], line["message"]) == ("pending", "the operator has not seen it yet")
    [line] = run(world, "refresh", "shop/orders", "--no-wait")
    assert line["state"] == "pending"
    world.kubernetes.run_kubectl("apply", "-n", "shop", "-f", str(ROOT / "deploy" / "team.yaml"))
    world.kubernetes.run_kubectl("create", "serviceaccount", "nobody", "-n", "shop")
    try:
        nobody = world.kubernetes.service_account_kubeconfig("shop", "nobody")
        given = ("--kubeconfig", str(nobody))
        done = CliRunner().invoke(app, ["refresh", "orders", "-n", "shop", *given])
        assert done.exit_code == 1
        assert "an administrator grants it: kubectl create role searchaccess-get-searchaccesses" in done.stderr
    finally:
        world.kubernetes.run_kubectl("delete", "serviceaccount", "nobody", "-n", "shop")


def consent(who: str) -> dict[str, Any]:
    rule = {"by": {"users": [who]}, "for": "8h"}
    return {
        "apiVersion": "searchaccess.dev/v1alpha1",
        "kind": "SearchAccessPolicy",
        "metadata": {"name": "consent"},
        "spec": {"match": {"namespaces": {"names": ["shop"]}}, "require": {"approval": rule}},
    }


def test_a_request_is_approved_in_ones_own_name_and_the_approval_is_withdrawn(field: Arena) -> None:
    world, kubectl = field.world, field.kubernetes.run_kubectl
    kubectl("apply", "-f", str(ROOT / "deploy" / "approvals.yaml"))
    try:
        found = json.loads(kubectl("get", f"{POLICIES},{BINDINGS}", *NAMES, "-o", "json").stdout)["items"]
        since = max(moment(raw["metadata"]["creationTimestamp"]) or 0 for raw in found) + SETTLES
        eventually(lambda: time.time() > since + 1, within=PATIENCE, what="the admission policies count")
        me = json.loads(kubectl("auth", "whoami", "-o", "json").stdout)["status"]["userInfo"]["username"]
        world.apply(field.cluster(), consent(me))
        requested = access("orders", grant("orders-*"), annotations={"searchaccess.dev/requested-by": "ann"})
        as_ann = ("--as=ann", "--as-group=system:masters")
        kubectl("apply", "-f", "-", *as_ann, input=json_list([requested]))
        with field.running():
            eventually(
                lambda: condition_in(world.get("orders"), "Ready").get("reason") == "PendingApproval",
                within=PATIENCE,
                what="it waits for an approval",
            )
            done = CliRunner().invoke(
                app, ["approve", "shop/orders", "--kubeconfig", str(world.kubernetes.kubeconfig)], input=""
            )
            assert done.exit_code == 64
            assert "requested by ann, generation 1" in done.stderr
            assert "nobody can be asked whether to approve 1 SearchAccess: add --yes" in done.stderr
            [line] = run(world, "approve", "shop/orders", "--yes", "--reason", "CHG-1")
            assert line["state"] == "done", line
            [approval] = field.listed("searchaccessapprovals").values()
            assert approval["spec"]["approvedBy"] == {"username": me}
            assert (approval["spec"]["generation"], approval["spec"]["reason"]) == (1, "CHG-1")
            assert world.role("orders")
            [line] = run(world, "approve", "shop/orders", "--yes", code=1)
            assert line["message"].startswith("no policy is waiting for its approval")
            [line] = run(world, "reject", "shop/orders", "--yes")
            assert line["state"] == "done", line
            assert field.listed("searchaccessapprovals") == {}
            assert condition_in(world.get("orders"), "Ready")["reason"] == "PendingApproval"
            [line] = run(world, "reject", "shop/orders", "--yes", code=1)
            assert line["message"] == "it has no approval"
    finally:
        kubectl("delete", "-f", str(ROOT / "deploy" / "approvals.yaml"), "--ignore-not-found")


def test_a_foreign_role_is_adopted_as_it_was_shown(field: Arena) -> None:
    world = field.world
    world.write_role("orders", {"indices": [{"names": ["foreign"], "privileges": ["read"]}]})
    adoption = {"namespaces": {"names": ["shop"]}}
    world.apply(field.cluster(adoption=adoption), access("orders", grant("orders-*")))
    with field.running():
        eventually(
            lambda: condition_in(world.get("orders"), "Ready").get("reason") == "OwnershipConflict",
            within=PATIENCE,
            what="the conflict",
        )
        [line] = run(world, "adopt", "shop/orders", "--yes")
        assert line["state"] == "done", line
        assert [entry["names"][0] for entry in world.role("orders")["indices"]] == ["orders-*"]
        [line] = run(world, "adopt", "shop/orders", "--yes", code=1)
        assert line["message"].startswith("its status names nothing that may be adopted")


def test_what_a_realm_needs_is_compared_with_what_it_has(field: Arena) -> None:
    world = field.world
    world.apply(field.cluster())
    given = ("realm", "--check", "--instance", world.instance, "--cluster", "prod")
    [found] = run(world, *given, code=2)
    [missing] = found["wrong"]
    assert missing.startswith(f"the role mapping searchaccess.{world.instance} is missing: ")
    world.apply(access("orders", grant("orders-*")))
    with field.running():
        field.until_in_sync(1)
        assert run(world, *given) == [{"cluster": "prod", "wrong": []}]
    realm = field.cluster()["spec"]["identity"]["jwtRealm"] | {"audience": "https://other.example.com"}
    world.patch_cluster("prod", {"spec": {"identity": {"jwtRealm": realm}}})
    [found] = run(world, *given, code=2)
    assert any("allowed_audiences: [https://other.example.com] and has" in line for line in found["wrong"])


def test_kubectl_runs_and_completes_the_plugin(field: Arena) -> None:
    field.world.apply(field.cluster(), access("orders", grant("orders-*")))
    path = f"{Path(sys.executable).parent}:/usr/bin:/bin"
    given = f"--kubeconfig={field.kubernetes.kubeconfig}"

    def kubectl(*arguments: str) -> str:
        command = [str(field.kubernetes.kubectl), *arguments]
        done = subprocess.run(command, env={"PATH": path}, capture_output=True, text=True, check=False, timeout=120)
        assert done.returncode == 0, done.stderr
        return done.stdout

    assert "SearchAccess shop/orders on SearchCluster prod" in kubectl("searchaccess", "status", "shop/orders", given)
    assert json.loads(kubectl("searchaccess", "version", "-o", "json", given))["kinds"] == ["v1alpha1"]
    completed = kubectl("__complete", "searchaccess", "stat").splitlines()
    assert completed[0].partition("\t")[0] == "status"
    assert completed[-1] == ":4"
