"""Attacks from outside: two things go wrong at once. No right stays that nobody declares, and no status lies."""

from collections import Counter

import pytest

from searchaccess.ports.errors import NotHolder, PermissionDenied, Unreachable
from searchaccess.ports.kubernetes import Plural
from tests.component.credentials.common import (
    DAY,
    HOUR,
    PLACE,
    READY,
    STORES,
    begin,
    live,
    store,
    with_key,
    with_password,
)
from tests.support.failures.breaking import Break, Place, breaking
from tests.support.failures.faults import Crash
from tests.support.loop.stage import CLUSTER_KEY, OPERATOR, Stage, access_key, few_probes, on_stage, search_cluster
from tests.support.worlds.world import access, account, grant

BUILD_STATUS = Place("searchaccess.core.status.access", "build_access_status")
MANY = 60
DENIED = PermissionDenied("not allowed")
TAMPERED = {"indices": [{"names": ["*"], "privileges": ["all"]}], "metadata": OPERATOR.stamp()}


def owners(stage: Stage) -> Counter[str]:
    """Count keys that still work, by the name of the SearchAccess that they are of."""
    return Counter(key["metadata"]["owner"]["name"] for key in live(stage))


def uid_alone(stage: Stage, name: str) -> str:
    """Return what is in the arguments that carry this SearchAccess, and in no longer uid's."""
    return f"{stage.get(name)['metadata']['uid']}'"


async def removed_while_stopped(stage: Stage, name: str, method: str) -> None:
    """Remove a SearchAccess by hand and delete its SearchCluster while the operator is down; then deny a method."""
    await stage.stop()
    stage.kubernetes.objects.pop(access_key(name))
    stage.kubernetes.delete(CLUSTER_KEY)
    stage.faults.fail("elasticsearch", DENIED, method)
    stage.start()
    await stage.sleep(20)


# A SearchCluster is deleted or replaced


@on_stage
async def test_a_key_is_revoked_through_an_older_searchcluster_that_was_pointed_at_the_same_elasticsearch(
    stage: Stage,
) -> None:
    stage.server("https://two:9200").uuid = "another"
    stage.apply(search_cluster("aaa", url="https://two:9200"))
    await stage.quiet()
    await begin(stage, with_key())
    assert owners(stage) == {"orders": 1}
    uuid = stage.cluster()["status"]["uuid"]
    stage.annotate((Plural.CLUSTERS, "", "aaa"), "searchaccess.dev/accept-uuid", uuid)
    stage.kubernetes.change((Plural.CLUSTERS, "", "aaa"), lambda raw: raw["spec"].update(urls=["https://one:9200"]))
    await stage.sleep(700)
    assert stage.cluster("aaa")["status"]["uuid"] == uuid
    stage.delete("orders")
    await stage.sleep(700)
    assert stage.get("orders") or not live(stage)


@on_stage
async def test_a_deleted_searchcluster_stays_while_the_key_of_a_moved_access_cannot_be_revoked(stage: Stage) -> None:
    await begin(stage, with_key())
    stage.faults.fail("elasticsearch", DENIED, "revoke_keys")
    stage.amend("orders", cluster="other")
    await stage.sleep(5)
    stage.kubernetes.delete(CLUSTER_KEY)
    await stage.sleep(20)
    assert live(stage)
    assert stage.cluster()


@on_stage
async def test_a_deleted_searchcluster_waits_for_the_key_of_an_access_that_vanished(stage: Stage) -> None:
    await begin(stage, with_key())
    await removed_while_stopped(stage, "orders", "revoke_keys")
    stage.faults.heal("elasticsearch")
    await stage.sleep(20)
    assert stage.cluster() or not live(stage)


@on_stage
async def test_a_deleted_searchcluster_waits_for_the_role_of_an_access_that_vanished(stage: Stage) -> None:
    await begin(stage, access("orders", grant("orders-*")))
    await removed_while_stopped(stage, "orders", "delete_roles")
    assert stage.cluster() or not stage.role(account("orders"))


@on_stage
async def test_a_key_is_revoked_when_its_access_moves_while_the_old_searchcluster_is_deleted(stage: Stage) -> None:
    stage.server("https://two:9200").wipe("another")
    stage.apply(search_cluster("other", url="https://two:9200", secretStores=STORES))
    await begin(stage, with_key())
    stage.faults.fail("elasticsearch", Unreachable("slow"), "revoke_keys")
    stage.amend("orders", cluster="other")
    stage.kubernetes.delete(CLUSTER_KEY)
    await stage.sleep(10)
    stage.faults.heal("elasticsearch")
    await stage.sleep(400)
    assert stage.cluster() or not live(stage)


@pytest.mark.parametrize("gap", [0, 0.05, 0.3, 2.5], ids=lambda gap: f"every {gap} s")
def test_a_searchcluster_that_is_recreated_twice_ends_with_what_is_declared(gap: float) -> None:
    @on_stage
    async def play(stage: Stage) -> None:
        plain = access("orders", grant("orders-*")), access("goes", grant("goes-*"))
        await begin(stage, *plain, with_key("keyed"), with_key("key-goes"))
        await recreate(stage, gap, "goes", "key-goes")
        stage.amend("orders", grants=[grant("first-*")])
        await recreate(stage, gap)
        stage.amend("orders", grants=[grant("second-*")])
        await stage.sleep(30)
        assert [stage.cluster_ready(), stage.ready("orders"), stage.ready("keyed")] == [READY] * 3
        assert not stage.get("goes")
        assert not stage.get("key-goes")
        assert not stage.role(account("goes"))
        assert owners(stage) == {"keyed": 1}

    play()


async def recreate(stage: Stage, gap: float, *deleted: str) -> None:
    """Remove the SearchCluster without its finalizer and declare it again, and delete SearchAccesses then."""
    stage.kubernetes.objects[CLUSTER_KEY]["metadata"]["finalizers"] = []
    stage.kubernetes.delete(CLUSTER_KEY)
    await stage.sleep(gap)
    stage.apply(search_cluster(secretStores=STORES))
    for name in deleted:
        stage.delete(name)
    await stage.sleep(gap)


# A SearchCluster is out of order for a while


@pytest.mark.parametrize(("how", "after"), [("invalid", 35), ("fault", 1), ("unreachable", 100)])
def test_an_access_with_a_key_is_in_sync_again_soon_after_its_searchcluster(how: str, after: float) -> None:
    @on_stage
    async def play(stage: Stage) -> None:
        await begin(stage, with_key(), access("plain", grant("plain-*")))
        await stage.sleep(after)
        match how:
            case "invalid":
                stage.kubernetes.change(CLUSTER_KEY, lambda raw: raw["spec"].update(urls=[]))
            case "fault":
                stage.faults.break_down("elasticsearch", KeyError, "probe")
            case _:
                stage.faults.fail("elasticsearch", Unreachable("gone"))
        await stage.sleep(75)
        assert stage.cluster_ready() != READY
        stage.faults.heal("elasticsearch")
        stage.kubernetes.change(CLUSTER_KEY, lambda raw: raw["spec"].update(urls=["https://one:9200"]))
        await stage.sleep(20)
        assert [stage.cluster_ready(), stage.ready("plain"), stage.ready("orders")] == [READY] * 3

    play()


@on_stage
async def test_a_searchcluster_whose_keys_cannot_be_listed_never_says_in_sync(stage: Stage) -> None:
    await begin(stage, with_key(), access("plain", grant("plain-*")))
    stage.faults.fail("elasticsearch", DENIED, "keys")
    await stage.sleep(6)
    stage.elasticsearch.keys_now.clear()
    stage.elasticsearch.sequence += 1
    await stage.sleep(12)
    for _ in range(30):
        await stage.sleep(2)
        assert stage.cluster_ready() != READY


@pytest.mark.parametrize("how", ["denied", "fault"])
@pytest.mark.parametrize("method", ["roles", "mappings", "keys"])
def test_what_cannot_be_read_is_not_in_sync_and_statuses_do_not_flap(method: str, how: str) -> None:
    @on_stage
    async def play(stage: Stage) -> None:
        await begin(stage, access("two", grant("two-*")), with_key("keyed"))
        if how == "denied":
            stage.faults.fail("elasticsearch", DENIED, method)
        else:
            stage.faults.break_down("elasticsearch", KeyError, method)
        stage.elasticsearch.write_role(OPERATOR.role_name(account("two")), TAMPERED)
        await stage.sleep(5)
        before = len(stage.faults.writes)
        for _ in range(120):
            await stage.sleep(2.3)
            assert stage.cluster_ready() != READY
        statuses = [call for call in stage.faults.writes[before:] if call.method == "replace_status"]
        assert len(statuses) < 30

    play()


# What fails on one side, or for one object, keeps no right elsewhere


@on_stage
async def test_a_fault_in_a_store_does_not_stop_the_revocation_of_a_key_that_nobody_declares(stage: Stage) -> None:
    await begin(stage, with_key(), with_key("stays"))
    stage.faults.break_down("store", KeyError, "find")
    await stage.stop()
    stage.kubernetes.objects.pop(access_key("orders"))
    stage.start()
    await stage.sleep(60)
    assert owners(stage) == {"stays": 1}


@pytest.mark.parametrize("how", ["denied", "fault"])
def test_a_key_is_revoked_while_roles_cannot_be_read(how: str) -> None:
    @on_stage
    async def play(stage: Stage) -> None:
        await begin(stage, with_key(), access("plain", grant("plain-*")))
        if how == "denied":
            stage.faults.fail("elasticsearch", DENIED, "roles")
        else:
            stage.faults.break_down("elasticsearch", KeyError, "roles")
        stage.elasticsearch.sequence += 1
        await stage.sleep(90)
        stage.delete("orders")
        await stage.sleep(120)
        assert not live(stage)

    play()


@on_stage
async def test_a_status_that_cannot_be_computed_does_not_stop_roles_and_releases_of_others(stage: Stage) -> None:
    await begin(stage, access("orders", grant("orders-*")), access("plain", grant("plain-*")))
    stage.faults.broke = True
    broken = Break(BUILD_STATUS, KeyError, only=uid_alone(stage, "orders"))
    with breaking(broken):
        stage.amend("orders", grants=[grant("x-*")])
        await stage.sleep(2)
        stage.apply(access("new", grant("new-*")))
        stage.delete("plain")
        await stage.sleep(60)
    assert broken.raised
    assert not stage.get("plain")
    assert not stage.role(account("plain"))
    assert stage.ready("new") == READY


@on_stage
async def test_a_status_that_cannot_be_computed_does_not_stop_the_revocation_of_another_key(stage: Stage) -> None:
    await begin(stage, access("two", grant("two-*")), with_key("goes"), with_key("apart"))
    stage.faults.broke = True
    broken = Break(BUILD_STATUS, KeyError, only=uid_alone(stage, "two"))
    with breaking(broken):
        stage.amend("two", grants=[grant("x-*")])
        await stage.sleep(2)
        stage.delete("goes")
        await stage.sleep(600)
    assert broken.raised
    assert owners(stage) == {"apart": 1}


@on_stage
async def test_without_a_searchcluster_one_status_that_cannot_be_computed_costs_itself_alone(stage: Stage) -> None:
    stage.faults.broke = True
    broken = Break(BUILD_STATUS, KeyError, only="aa-odd")
    stage.apply(*(access(name, grant("a-*"), cluster="nowhere") for name in ("aa-odd", "bb")))
    with breaking(broken):
        stage.apply(*(access(name, grant("b-*"), cluster="nowhere") for name in ("aa-odd", "bb")))
        await stage.sleep(30)
        stage.apply(access("cc", grant("c-*"), cluster="nowhere"))
        await stage.sleep(30)
        assert broken.raised
        assert stage.ready("bb")[1] == stage.ready("cc")[1] == "ClusterNotFound"


# Leases and clocks


@on_stage
async def test_a_replica_that_is_not_sure_of_its_lease_does_not_retry_in_a_hot_loop(stage: Stage) -> None:
    await begin(stage, access("orders", grant("orders-*")))
    asked = 0

    class Unsure(NotHolder):
        def __init__(self, message: str) -> None:
            nonlocal asked
            super().__init__(message)
            asked += 1
            if asked > MANY:
                # No virtual time passes in a hot loop: it would never end.
                raise Crash

    stage.faults.fail("elasticsearch", Unsure("lease"), "put_roles", "roles")
    stage.amend("orders", grants=[grant("x-*")])
    await stage.sleep(10)
    assert 1 < asked < MANY


@pytest.mark.parametrize(
    ("auth", "clocks", "jump", "at_once"),
    [
        ("ApiKey", "ours", 10 * DAY, 1),
        ("ApiKey", "theirs", 2 * HOUR, 1),
        ("ApiKey", "theirs", 10 * DAY, 2),
        ("ApiKey", "both", -10 * DAY, 1),
        ("Password", "ours", -2 * HOUR, 1),
        ("Password", "both", 10 * DAY, 1),
    ],
)
def test_a_clock_that_jumps_makes_at_most_one_credential_more_and_ours_none(
    auth: str, clocks: str, jump: int, at_once: int
) -> None:
    async def most(stage: Stage) -> int:
        found = 0
        for _ in range(60):
            await stage.sleep(30)
            found = max(found, len(live(stage)) if auth == "ApiKey" else len(stage.elasticsearch.users_now))
        return found

    @on_stage
    async def play(stage: Stage) -> None:
        declared = with_key if auth == "ApiKey" else with_password
        await begin(stage, declared(credential={"rotateEvery": "24h", "overlap": "2h"}))
        await stage.sleep(3 * HOUR)
        assert stage.process is not None
        with few_probes(stage.process.host):
            assert await most(stage) == 1
        secret = store(stage).newest(PLACE)
        if clocks != "theirs":
            stage.clock.offset += jump
        if clocks != "ours":
            before = stage.elasticsearch.now
            stage.elasticsearch.now = lambda: before() + jump
        assert await most(stage) <= at_once
        await stage.restart()
        assert await most(stage) <= 2
        assert clocks != "ours" or store(stage).newest(PLACE) == secret

    play()
