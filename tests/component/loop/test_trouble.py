"""External failures: what is reported, what continues, and that the operator recovers."""

from collections.abc import Callable

import pytest

from searchaccess.core.clusters.connection import Connection
from searchaccess.engine.lister import RELIST_AFTER
from searchaccess.engine.loop.schedule import CHECK_EVERY
from searchaccess.ports.errors import (
    Conflict,
    ExternalError,
    LoginRefused,
    PermissionDenied,
    Rejected,
    Throttled,
    TlsNotVerified,
    Unexpected,
    Unreachable,
)
from tests.support.failures.faults import Call, Fault
from tests.support.loop.stage import LOGIN_SECRET, OPERATOR, Process, Stage, access_key, on_stage, search_cluster
from tests.support.memory import elasticsearch as memory_elasticsearch
from tests.support.memory import kubernetes as memory_kubernetes
from tests.support.runs.effort import places
from tests.support.worlds.world import access, account, condition_in, grant

ELASTICSEARCH = memory_elasticsearch.SIDE
KUBERNETES = memory_kubernetes.SIDE
ORDERS = account("orders")
ROLE = OPERATOR.role_name(ORDERS)


@pytest.mark.parametrize(
    ("error", "status", "reason"),
    [
        pytest.param(Unreachable("no answer"), "Unknown", "ClusterUnreachable", id="it does not answer"),
        pytest.param(Throttled("429"), "False", "Throttled", id="it asks to slow down"),
        pytest.param(TlsNotVerified("TLS"), "False", "TlsNotVerified", id="its certificate cannot be verified"),
        pytest.param(LoginRefused("401"), "False", "LoginRefused", id="it refuses the login"),
        pytest.param(PermissionDenied("403"), "False", "PermissionDenied", id="the login may not do it"),
        pytest.param(Unexpected("odd"), "False", "InternalError", id="its answer is not understood"),
    ],
)
def test_a_cluster_in_trouble_is_reported_and_recovers_by_itself(
    error: ExternalError, status: str, reason: str
) -> None:
    async def play(stage: Stage) -> None:
        stage.apply(search_cluster(), access("orders", grant("orders-*")))
        await stage.quiet()
        stage.faults.fail(ELASTICSEARCH, error)
        stage.apply(access("new", grant("new-*")))
        await stage.quiet()
        assert stage.cluster_ready() == (status, reason)
        assert stage.ready("new") == (status, reason)
        assert stage.ready("orders") == ("True", "InSync")
        stage.delete("orders")
        await stage.quiet()
        assert stage.get("orders")
        assert "is not confirmed" in condition_in(stage.get("orders"), "Ready")["message"]
        stage.faults.heal(ELASTICSEARCH)
        await stage.quiet()
        stage.check()
        assert not stage.get("orders")

    on_stage(play)()


@on_stage
async def test_after_a_minute_without_contact_every_access_is_reported_as_unknown(stage: Stage) -> None:
    stage.apply(search_cluster(), access("orders", grant("orders-*")))
    await stage.quiet()
    stage.faults.fail(ELASTICSEARCH, Unreachable("no answer"))
    end = stage.clock.monotonic() + 75
    while stage.clock.monotonic() < end:
        await stage.quiet()
    assert stage.ready("orders") == ("Unknown", "ClusterUnreachable")
    stage.faults.heal(ELASTICSEARCH)
    await stage.quiet()
    stage.check()


@on_stage
async def test_what_was_changed_during_an_outage_is_corrected_after_it(stage: Stage) -> None:
    stage.apply(search_cluster(), access("orders", grant("orders-*")))
    await stage.quiet()
    stage.faults.fail(ELASTICSEARCH, Unreachable("no answer"))
    await stage.quiet()
    stage.elasticsearch.remove_role(ROLE)
    stage.amend("orders", grants=[grant("orders-new")])
    stage.faults.heal(ELASTICSEARCH)
    await stage.quiet()
    stage.check()


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        pytest.param(lambda server: setattr(server, "license", "basic"), "LicenseInsufficient", id="no license"),
        pytest.param(lambda server: setattr(server, "license", "expired"), "LicenseInsufficient", id="license expired"),
        pytest.param(lambda server: server.realm.update(allowed_issuer="x"), "RealmMismatch", id="another issuer"),
        pytest.param(lambda server: server.realm.update(claims={"principal": "sub"}), "RealmMismatch", id="claim"),
    ],
)
def test_a_gate_that_is_shut_holds_new_rights_but_not_deletions(
    change: Callable[[memory_elasticsearch.MemoryElasticsearch], object], reason: str
) -> None:
    async def play(stage: Stage) -> None:
        stage.apply(search_cluster(), access("orders", grant("orders-*")), access("kept", grant("kept-*")))
        await stage.quiet()
        change(stage.elasticsearch)
        await stage.restart()
        stage.apply(access("new", grant("new-*")))
        stage.delete("orders")
        await stage.quiet()
        assert stage.cluster_ready() == ("False", reason)
        assert stage.ready("new") == ("False", reason)
        assert not stage.get("orders")
        assert set(stage.elasticsearch.roles_now) == {OPERATOR.role_name(account("kept"))}
        stage.elasticsearch.license = "trial"
        stage.elasticsearch.realm = memory_elasticsearch.realm_settings()
        await stage.restart()
        await stage.quiet()
        stage.check()

    on_stage(play)()


@on_stage
async def test_an_elasticsearch_that_is_too_old_is_not_touched(stage: Stage) -> None:
    stage.elasticsearch.version = "8.14.3"
    stage.apply(search_cluster(), access("orders", grant("orders-*")))
    await stage.quiet()
    assert stage.cluster_ready() == ("False", "VersionUnsupported")
    assert stage.ready("orders") == ("False", "VersionUnsupported")
    assert not [call for call in stage.faults.writes if call.side == ELASTICSEARCH]
    stage.elasticsearch.version = "8.19.0"
    await stage.quiet()
    stage.check()


@on_stage
async def test_a_missing_login_is_reported_and_used_when_it_comes(stage: Stage) -> None:
    login = stage.kubernetes.sources.pop(LOGIN_SECRET)
    stage.apply(search_cluster(), access("orders", grant("orders-*")))
    await stage.quiet()
    assert stage.cluster_ready() == ("False", "LoginMissing")
    assert stage.ready("orders") == ("False", "LoginMissing")
    stage.kubernetes.sources[LOGIN_SECRET] = login
    await stage.quiet()
    stage.check()


@on_stage
async def test_another_login_is_taken_from_the_secret_before_the_old_one_ends(stage: Stage) -> None:
    stage.apply(search_cluster(), access("orders", grant("orders-*")))
    await stage.quiet()
    assert stage.connections == [Connection(("https://one:9200",), "", "operator", "secret")]
    stage.kubernetes.sources[LOGIN_SECRET] = {"apiKey": b"a2V5"}
    await stage.sleep(CHECK_EVERY + 10)
    assert stage.connections[1:] == [Connection(("https://one:9200",), api_key="a2V5")]
    assert stage.cluster_ready() == ("True", "InSync")
    stage.check()


@on_stage
async def test_a_login_that_is_taken_away_changes_nothing_in_elasticsearch(stage: Stage) -> None:
    stage.apply(search_cluster(), access("orders", grant("orders-*")))
    await stage.quiet()
    login, role = stage.kubernetes.sources.pop(LOGIN_SECRET), stage.role(ORDERS)
    await stage.sleep(CHECK_EVERY + 10)
    assert stage.cluster_ready() == ("False", "LoginMissing")
    assert stage.role(ORDERS) == role
    stage.kubernetes.sources[LOGIN_SECRET] = login
    await stage.quiet()
    assert stage.cluster_ready() == ("True", "InSync")
    stage.check()


@on_stage
async def test_without_the_probe_the_sweep_finds_what_was_changed(stage: Stage) -> None:
    stage.elasticsearch.probe_works = False
    stage.apply(search_cluster(drift={"probeEvery": "2s", "sweepEvery": "30s"}), access("orders", grant("orders-*")))
    await stage.quiet()
    assert stage.cluster()["status"]["probe"] == "Unavailable"
    stage.elasticsearch.remove_role(ROLE)
    end = stage.clock.monotonic() + 40
    while stage.clock.monotonic() < end:
        await stage.quiet()
    stage.check()


@on_stage
async def test_another_cluster_without_a_security_index_is_noticed_before_anything_is_written(stage: Stage) -> None:
    stage.apply(search_cluster(), access("orders", grant("orders-*")))
    await stage.quiet()
    stage.elasticsearch.wipe("another-uuid")
    stage.elasticsearch.probe_works = False
    stage.elasticsearch.roles_now = {}
    await stage.quiet()
    assert stage.cluster_ready() == ("False", "ClusterReplaced")
    assert not stage.elasticsearch.roles_now


@on_stage
async def test_news_late_out_of_order_and_twice_end_in_the_same_state(stage: Stage) -> None:
    assert stage.process is not None
    loop, watch = stage.clock, stage.process.watch
    steps = iter(range(10_000))

    def later(deliver: Callable[[], None]) -> None:
        stage.call_later((7 * next(steps) % 11) / 5, deliver)

    watch.later, watch.twice = later, lambda: next(steps) % 3 == 0
    stage.apply(search_cluster())
    for number in range(6):
        stage.apply(access(f"a{number % 3}", grant(f"x{number}-*"), principal=ORDERS))
    stage.delete("a1")
    begin = loop.monotonic()
    await stage.quiet()
    assert loop.monotonic() > begin
    stage.check()
    assert {name for entry in stage.role(ORDERS)["indices"] for name in entry["names"]} == {"x3-*", "x5-*"}


@on_stage
async def test_an_access_that_arrives_while_roles_are_read_is_not_written_before_its_finalizer(stage: Stage) -> None:
    stage.apply(search_cluster(), access("orders", grant("orders-*")))
    await stage.quiet()

    def arrive(call: Call) -> None:
        if call.method == "roles" and not stage.get("late"):
            stage.apply(access("late", grant("late-*"), principal=ORDERS))

    stage.faults.on_call = arrive
    stage.amend("orders", grants=[grant("orders-new")])
    await stage.quiet()
    stage.check()
    assert stage.get("late")


async def miss_a_deletion(stage: Stage) -> Process:
    """Delete an access for good while nothing tells the operator; return the operator, whose watch is down."""
    stage.apply(search_cluster(), access("orders", grant("orders-*")))
    await stage.quiet()
    assert stage.process is not None
    stage.process.watch.down = True
    stage.kubernetes.change(access_key("orders"), lambda raw: raw["metadata"].update(finalizers=[]))
    stage.delete("orders")
    return stage.process


@on_stage
async def test_a_deletion_that_the_watch_missed_is_found_by_the_next_full_list(stage: Stage) -> None:
    await miss_a_deletion(stage)
    end = stage.clock.monotonic() + 310
    while stage.clock.monotonic() < end:
        await stage.quiet()
    assert not stage.elasticsearch.roles_now


@on_stage
async def test_a_deletion_before_the_watch_began_is_found_when_it_has_begun(stage: Stage) -> None:
    process = await miss_a_deletion(stage)
    await stage.sleep(20)
    assert stage.elasticsearch.roles_now
    process.watch.down = False
    process.host.watch_started()
    await stage.sleep(RELIST_AFTER)
    await stage.quiet()
    assert not stage.elasticsearch.roles_now


@pytest.mark.parametrize(
    "error",
    [Unreachable("503"), Throttled("429"), PermissionDenied("403"), Conflict("409"), Unexpected("odd")],
    ids=lambda error: type(error).__name__,
)
def test_statuses_and_finalizers_arrive_when_kubernetes_is_back(error: ExternalError) -> None:
    async def play(stage: Stage) -> None:
        stage.apply(search_cluster(), access("orders", grant("orders-*")))
        await stage.quiet()
        stage.faults.fail(KUBERNETES, error, "replace_status", "set_finalizers", "create_event")
        stage.apply(access("new", grant("new-*")))
        stage.delete("orders")
        await stage.sleep(30)
        assert not stage.role(account("new"))
        assert not stage.role(ORDERS)
        assert stage.get("orders")
        stage.faults.heal(KUBERNETES)
        await stage.quiet()
        stage.check()
        assert not stage.get("orders")

    on_stage(play)()


@on_stage
async def test_a_finalizer_that_cannot_be_written_is_tried_again_at_intervals(stage: Stage) -> None:
    stage.apply(search_cluster(), access("kept", grant("kept-*")))
    await stage.quiet()
    stage.faults.fail(KUBERNETES, PermissionDenied("403"), "set_finalizers")
    stage.apply(access("orders", grant("orders-*")))
    await stage.sleep(5)
    assert stage.ready("orders") == ("False", "Pending")
    before = len(stage.faults.calls)
    await stage.sleep(60)
    tries = [call for call in stage.faults.calls[before:] if call.method == "set_finalizers"]
    assert 2 <= len(tries) <= 6
    assert not stage.role(ORDERS)
    stage.faults.heal(KUBERNETES)
    await stage.quiet()
    stage.check()


@on_stage
async def test_a_conflict_about_a_status_does_not_lose_it(stage: Stage) -> None:
    stage.apply(search_cluster())
    await stage.quiet()
    stage.faults.fail(KUBERNETES, Conflict("409"), "replace_status")
    stage.apply(access("orders", grant("orders-*")))
    await stage.sleep(2)
    stage.faults.heal(KUBERNETES)
    await stage.quiet()
    stage.check()


@on_stage
async def test_events_that_may_not_be_written_hold_nothing_up(stage: Stage) -> None:
    stage.apply(search_cluster(), access("orders", grant("orders-*")))
    await stage.quiet()
    stage.faults.fail(KUBERNETES, PermissionDenied("403: the namespace is being terminated"), "create_event")
    stage.elasticsearch.remove_role(ROLE)
    await stage.sleep(2.2)
    stage.delete("orders")
    await stage.quiet()
    assert not stage.get("orders")


@on_stage
async def test_a_status_that_kubernetes_refuses_does_not_hold_up_others(stage: Stage) -> None:
    stage.apply(search_cluster(), access("orders", grant("orders-*")))
    await stage.quiet()
    stage.faults.fail(KUBERNETES, Rejected("422"), "replace_status")
    stage.apply(access("new", grant("new-*")))
    await stage.sleep(10)
    assert stage.role(account("new"))
    stage.delete("new")
    await stage.sleep(10)
    assert not stage.get("new")


@pytest.mark.parametrize("number", places(8))
def test_a_lost_reply_changes_nothing_in_the_end(number: int) -> None:
    async def play(stage: Stage) -> None:
        stage.faults.at_write(number, Fault.LOSE_REPLY)
        stage.apply(search_cluster(), access("orders", grant("orders-*")))
        await stage.quiet()
        stage.delete("orders")
        stage.apply(access("new", grant("new-*")))
        await stage.quiet()
        stage.check()

    on_stage(play)()
