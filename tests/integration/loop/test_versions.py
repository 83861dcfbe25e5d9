"""The last landed version and this one on one cluster: side by side, upgrade and rollback, under load."""

import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, Final

import pytest

from tests.e2e.clusters.test_logins import write_login, write_user
from tests.e2e.credentials.keys import ISSUER_ROLE, STORES
from tests.support.landed import extract_landed
from tests.support.operatorprocess import ROOT, OperatorProcess
from tests.support.waiting import eventually
from tests.support.worlds.arena import PATIENCE, Arena, patches_status, reads_roles
from tests.support.worlds.world import CLUSTER, OPERATOR_PASSWORD, SYSTEM, access, account, condition_in, grant

pytestmark = pytest.mark.timeout(900)

LEASES: Final = ("--lease-namespace", SYSTEM)
NOW: Final = ROOT / "operator" / "src"


@pytest.fixture(scope="module")
def landed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The source of the last landed version."""
    return extract_landed(tmp_path_factory.mktemp("landed"), "operator/src") / "operator" / "src"


def with_key(name: str) -> dict[str, Any]:
    credential = {"store": "main", "name": f"{name}-elasticsearch", "overlap": "1h"}
    return access(name, grant("orders-*"), auth="ApiKey", credential=credential)


def begin(field: Arena) -> None:
    """Declare a cluster, and some of everything."""
    world = field.world
    write_user(world, "issuer", ISSUER_ROLE)
    write_login(world, "issuer", username="issuer", password=OPERATOR_PASSWORD)
    world.kubernetes.run_kubectl("apply", "-n", "shop", "-f", str(ROOT / "deploy" / "kubernetes-store.yaml"))
    login = {"secretRef": {"namespace": SYSTEM, "name": "issuer"}}
    world.apply(
        field.cluster(login=login, secretStores=STORES),
        access("orders", grant("orders-*", where={"term": {"region": "eu"}})),
        access("shared-a", grant("a-*"), principal=account("shared")),
        access("shared-b", grant("b-*"), principal=account("shared")),
        access("watched", grant("watched-*"), mode="Observe"),
        with_key("keyed"),
    )
    world.admin.put("/orders-1/_doc/1?refresh=true", json={"region": "eu"}).raise_for_status()


def operator(field: Arena, name: str, source: Path) -> OperatorProcess:
    return field.operator(name, extra=LEASES, source=source)


@contextmanager
def load(field: Arena) -> Iterator[list[str]]:
    """Declare and delete all the time, and call as a caller whose rights nobody changes; yield what was refused."""
    stop, refused = threading.Event(), list[str]()

    def declare() -> None:
        number = 0
        while not stop.wait(0.5):
            number += 1
            field.world.apply(access(f"load-{number % 5}", grant(f"load-{number}-*")))
            if number % 3 == 0:
                field.world.delete(f"load-{number % 5}", wait=False)

    def call() -> None:
        with field.world.caller("orders") as caller:
            while not stop.wait(0.05):
                answer = caller.get("/orders-*/_search")
                if answer.status_code != 200:
                    refused.append(answer.text)

    threads = [threading.Thread(target=task) for task in (declare, call)]
    for thread in threads:
        thread.start()
    try:
        yield refused
    finally:
        stop.set()
        for thread in threads:
            thread.join()


def until_settled(field: Arena) -> None:
    """Wait until all that is enforced is in sync, and what was deleted is gone."""

    def settled() -> bool:
        return all(
            condition_in(found, "Ready").get("reason") in {"InSync", "ChangesPending"}
            and condition_in(found, "Ready").get("observedGeneration") == found["metadata"]["generation"]
            and not found["metadata"].get("deletionTimestamp")
            for found in field.listed().values()
        )

    eventually(settled, within=PATIENCE, every=0.3, what="all settled")
    field.until_cluster_ready()


def check(field: Arena) -> None:
    """Check that Elasticsearch has what is declared, and that nothing was multiplied."""
    until_settled(field)
    found = field.listed()
    roles = field.roles()
    for name in ("orders", "shared"):
        assert name in roles
    enforced = {name for name in found if name.startswith("load-")}
    assert {name for name in roles if name.startswith("load-")} == enforced
    keys = field.world.admin.get("/_security/api_key", params={"name": f"searchaccess.{field.world.instance}.*"}).json()
    live = [key for key in keys["api_keys"] if not key["invalidated"]]
    assert len(live) == 1, "one key, and no version made another"


def test_an_upgrade_and_a_rollback_under_load_cost_no_request_and_no_news(field: Arena, landed: Path) -> None:
    begin(field)
    with ExitStack() as stack:
        old = operator(field, "landed", landed)
        old.start()
        stack.callback(old.kill)
        until_settled(field)
        refused = stack.enter_context(load(field))
        new = operator(field, "now", NOW)
        new.start()
        stack.callback(new.kill)
        eventually(lambda: '"running"' in new.output(), within=PATIENCE, what="the new version runs")
        old.stop()
        eventually(lambda: "lease acquired" in new.output(), within=PATIENCE, what="the new version has the cluster")
        field.world.apply(access("upgraded", grant("upgraded-*")))
        field.world.until_ready("upgraded", within=PATIENCE)
        back = operator(field, "rolled-back", landed)
        back.start()
        stack.callback(back.kill)
        eventually(lambda: '"running"' in back.output(), within=PATIENCE, what="the old version runs again")
        new.kill()
        field.world.apply(access("rolled-back", grant("rolled-back-*")))
        field.world.until_ready("rolled-back", within=PATIENCE)
        assert not refused, refused[:3]
    again = operator(field, "again", NOW)
    again.start()
    try:
        check(field)
    finally:
        again.stop()


def test_statuses_of_the_last_version_are_read_and_an_unchanged_world_is_not_written(
    field: Arena, landed: Path
) -> None:
    begin(field)
    old = operator(field, "landed", landed)
    old.start()
    until_settled(field)
    # What it finds out in the background is in the statuses too.
    field.until_quiet()
    old.stop()
    before = {name: found["status"] for name, found in field.listed().items()}
    cluster = conditions_of(field)
    began = len(field.api.requests)
    start_and_stop(field, "now")
    after = {name: found["status"] for name, found in field.listed().items()}
    # A version whose statuses have more in them writes each once: say here which, and what is new in them.
    assert after == before
    assert conditions_of(field) == cluster
    assert [seen.path for seen in field.api.requests[began:] if patches_status(seen)] == []


def conditions_of(field: Arena) -> list[tuple[str, str, str, str]]:
    """Return what the SearchCluster's conditions say, apart from the words of their messages."""
    conditions = field.world.get_cluster(CLUSTER)["status"]["conditions"]
    return [(item["type"], item["status"], item["reason"], item["lastTransitionTime"]) for item in conditions]


def start_and_stop(field: Arena, name: str) -> None:
    """Let this version take the cluster over, and stop it when it has nothing left to do."""
    new, mark = operator(field, name, NOW), field.elasticsearch.mark()
    new.start()
    try:
        eventually(lambda: field.elasticsearch.count(reads_roles, mark), within=PATIENCE, what="it has the cluster")
        field.until_quiet(mark=mark)
    finally:
        new.stop()


def test_both_versions_side_by_side_share_clusters_and_heal_what_they_have(field: Arena, landed: Path) -> None:
    begin(field)
    with ExitStack() as stack:
        both = [operator(field, "landed", landed), operator(field, "now", NOW)]
        for one in both:
            one.start()
            stack.callback(one.kill)
        until_settled(field)
        for survivor, other in (both, both[::-1]):
            other.kill()
            field.world.write_role("orders", {"indices": [{"names": ["*"], "privileges": ["all"]}]} | metadata(field))
            eventually(lambda: not tampered(field), within=PATIENCE, what="healed")
            until_settled(field)
            other.start()
            eventually(lambda one=other: one.running, within=PATIENCE, what="it runs again")  # type: ignore[misc]
            assert survivor.running
        check(field)


def metadata(field: Arena) -> dict[str, Any]:
    return {"metadata": field.world.role("orders").get("metadata", {})}


def tampered(field: Arena) -> bool:
    return any("all" in entry["privileges"] for entry in field.world.role("orders").get("indices", []))
