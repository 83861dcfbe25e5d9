"""Argo CD itself between git and the operator. Collected when Argo CD is built: see conftest.py."""

from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from searchaccess.cli.pages.argo import customizations
from tests.integration.conftest import OwnServers
from tests.stack.others.argocd import ArgoCd, Repository, evaluate
from tests.support.argocd import FOLDER, health_of, run_lua
from tests.support.operatorprocess import ROOT
from tests.support.waiting import eventually
from tests.support.worlds.arena import Arena
from tests.support.worlds.world import CLUSTER, access, grant

pytestmark = pytest.mark.timeout(600)

APPLICATION = "search"


@pytest.fixture(scope="module")
def argocd(own_servers: OwnServers) -> Iterator[ArgoCd]:
    with ArgoCd(own_servers.kubernetes, customizations(ROOT)) as running:
        yield running


def state(argocd: ArgoCd) -> tuple[str, str]:
    status = argocd.get(APPLICATION).get("status", {})
    return status.get("sync", {}).get("status", ""), status.get("health", {}).get("status", "")


def healths(argocd: ArgoCd) -> dict[str, str]:
    resources = argocd.get(APPLICATION).get("status", {}).get("resources", [])
    return {item["name"]: item.get("health", {}).get("status", "") for item in resources}


def until(argocd: ArgoCd, sync: str, health: str) -> None:
    def observe() -> bool:
        return state(argocd) == (sync, health)

    try:
        eventually(observe, within=90, every=0.5)
    except AssertionError:
        raise AssertionError(f"not {sync} and {health}: {argocd.get(APPLICATION).get('status')}") from None


def push(argocd: ArgoCd, repository: Repository, **files: list[dict[str, Any]]) -> None:
    repository.commit(**files)
    argocd.refresh(APPLICATION)


def expect_same_opinion(field: Arena, folder: Path) -> None:
    """Hold what Argo CD's interpreter says against what ours says, in the other tests."""
    for raw in (*field.listed().values(), *field.listed("searchclusters").values()):
        said = evaluate("health", FOLDER / "health.lua", raw, folder)
        assert (said["status"], said["message"]) == health_of(raw)
    approval = {
        "kind": "SearchAccessApproval",
        "metadata": {"name": "yes"},
        "spec": {"name": "orders", "generation": 2},
    }
    said = evaluate("health", FOLDER / "approval.lua", approval, folder)
    assert (said["status"], said["message"]) == health_of(approval)
    for raw in field.listed().values():
        offered = evaluate("actions", FOLDER / "discovery.lua", raw, folder)
        ours = run_lua("discovery", raw)
        assert {item["name"]: item.get("disabled", False) for item in offered} == {
            name: action["disabled"] for name, action in ours.items()
        }
        [changed] = evaluate("action", FOLDER / "suspend.lua", raw, folder)
        assert changed["resource"]["spec"] == raw["spec"] | {"suspend": True}


def test_from_git_to_elasticsearch_and_away_again(field: Arena, argocd: ArgoCd, tmp_path: Path) -> None:
    world, repository = field.world, Repository(tmp_path / "repository")
    cluster = field.cluster()
    cluster["metadata"]["annotations"] = {"argocd.argoproj.io/sync-wave": "-1"}
    orders, more = access("orders", grant("orders-*")), access("more", grant("more-*"))
    repository.commit(cluster=[cluster], accesses=[orders, more])
    argocd.declare(APPLICATION, repository.url, self_heal=False)

    # Without an operator the first wave does not get healthy, so that the second does not come.
    eventually(lambda: healths(argocd).get(CLUSTER) == "Progressing", within=90, every=0.5, what="the first wave")
    assert field.listed() == {}
    with field.running():
        until(argocd, "Synced", "Healthy")
        assert healths(argocd) == {CLUSTER: "Healthy", "orders": "Healthy", "more": "Healthy"}
        assert set(field.roles()) == {"orders", "more"}
        expect_same_opinion(field, tmp_path)

        wrong = access("more", grant("more-*", where={"nonsense": {}}))
        push(argocd, repository, cluster=[cluster], accesses=[orders, wrong])
        until(argocd, "Synced", "Degraded")
        assert healths(argocd) == {CLUSTER: "Healthy", "orders": "Healthy", "more": "Degraded"}
        expect_same_opinion(field, tmp_path)
        watched = access("more", grant("other-*"), mode="Observe")
        push(argocd, repository, cluster=[cluster], accesses=[orders, watched])
        until(argocd, "Synced", "Suspended")
        expect_same_opinion(field, tmp_path)
        push(argocd, repository, cluster=[cluster], accesses=[orders, more])
        until(argocd, "Synced", "Healthy")

        # Nothing of ours writes spec: only what somebody changes is out of sync.
        world.patch("orders", {"spec": {"grants": [grant("somebody-*")]}})
        until(argocd, "OutOfSync", "Healthy")
        argocd.declare(APPLICATION, repository.url, self_heal=True)
        until(argocd, "Synced", "Healthy")
        entries = [entry["names"] for entry in field.roles()["orders"]["indices"]]
        assert entries == [["orders-*"]]

        push(argocd, repository, cluster=[cluster], accesses=[orders])
        eventually(lambda: set(field.roles()) == {"orders"}, within=90, every=0.5, what="pruned")
        until(argocd, "Synced", "Healthy")
        argocd.delete(APPLICATION)
        eventually(partial(is_gone, field), within=90, every=0.5, what="all is gone")


def is_gone(field: Arena) -> bool:
    return not (field.roles() or field.world.mapping() or field.listed() or field.world.get_cluster())
