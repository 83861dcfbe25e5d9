"""The last use of each SearchAccess, from audit events: beside the loop, in few requests, and few writes."""

from typing import Any

from searchaccess.core.usage.uses import Use
from searchaccess.ports.errors import PermissionDenied, Unreachable
from tests.component.common import ORDERS, begin
from tests.component.policies.test_policies import policy
from tests.support.failures.faults import Call
from tests.support.loop.clocks import EPOCH
from tests.support.loop.stage import CLUSTER_KEY, OPERATOR, Stage, on_stage, search_cluster
from tests.support.worlds.world import CLUSTER, access, account, condition_in, grant

AUDIT: dict[str, Any] = {"index": "audit"}
HOUR, DAY = 3600.0, 86400.0
STATUS = "replace_status"


def now(stage: Stage) -> float:
    return EPOCH.timestamp() + stage.clock.monotonic()


def use(stage: Stage, user: str, *, ago: float = 1.0, key_id: str = "", key_name: str = "") -> None:
    """Have Elasticsearch log a request that it allowed."""
    stage.elasticsearch.allowed.append(Use(user, key_id, key_name, now(stage) - ago))


def usage(stage: Stage, name: str) -> dict[str, Any]:
    found: dict[str, Any] = stage.get(name)["status"].get("usage", {})
    return found


def looks(stage: Stage) -> list[Call]:
    return [call for call in stage.faults.calls if call.method == "last_uses"]


def hint(stage: Stage) -> str:
    return str(condition_in(stage.cluster(), "UsageUnknown").get("message", ""))


def written(stage: Stage) -> list[Call]:
    """Return the writes of SearchAccesses' statuses."""
    return [call for call in stage.faults.writes if call.method == STATUS and call.names != (CLUSTER,)]


async def pass_hours(stage: Stage, number: float) -> None:
    """Let time pass; the operator's own requests are logged, too."""
    while number > 0:
        await stage.sleep(HOUR * min(number, 1.0))
        number -= 1
        use(stage, "operator")


@on_stage
async def test_statuses_say_when_each_was_last_used(stage: Stage) -> None:
    stage.elasticsearch.allowed = [Use("operator", "", "", EPOCH.timestamp())]
    await begin(
        stage,
        access("orders", grant("orders-*")),
        access("shared", grant("stock-*"), principal=ORDERS),
        access("idle", grant("idle-*")),
        audit=AUDIT,
    )
    stage.check()
    created = stage.get("idle")["metadata"]["creationTimestamp"]
    assert usage(stage, "idle") == {"observedAt": usage(stage, "idle")["observedAt"], "since": created}
    assert len(looks(stage)) == 1
    use(stage, ORDERS)
    await pass_hours(stage, 1.2)
    await stage.quiet()
    for name in ("orders", "shared"):
        assert usage(stage, name)["lastUsed"].startswith("2026-01-01T10:")
        assert usage(stage, name)["since"] == created
    assert "lastUsed" not in usage(stage, "idle")
    assert hint(stage) == ""
    assert stage.cluster()["status"]["audit"]["index"] == "audit"
    stage.check()


@on_stage
async def test_who_may_not_name_a_caller_does_not_learn_when_it_was_active(stage: Stage) -> None:
    stage.elasticsearch.allowed = [Use("operator", "", "", EPOCH.timestamp())]
    foreign = access("curious", grant("stock-*"), principal=ORDERS)
    allowed = {"serviceAccounts": ["idle@*"]}
    await begin(stage, policy(subjects=[allowed]), foreign, access("idle", grant("idle-*")), audit=AUDIT)
    use(stage, ORDERS)
    await pass_hours(stage, 1.2)
    await stage.quiet()
    assert stage.ready("curious") == ("False", "PolicyViolation")
    assert usage(stage, "curious") == {}
    assert usage(stage, "idle")


@on_stage
async def test_an_unchanged_world_is_not_written(stage: Stage) -> None:
    stage.elasticsearch.allowed = [Use("operator", "", "", EPOCH.timestamp())]
    await begin(stage, access("orders", grant("orders-*")), access("idle", grant("idle-*")), audit=AUDIT)
    use(stage, ORDERS)
    await pass_hours(stage, 2)
    before, read = len(stage.faults.writes), len(looks(stage))
    await pass_hours(stage, 20)
    assert len(stage.faults.writes) == before
    assert 17 <= len(looks(stage)) - read <= 20, "one look in an hour or a little more"
    await pass_hours(stage, 12)
    assert [call.method for call in stage.faults.writes[before:]] == [STATUS], "the SearchCluster's, once a day"
    await stage.restart()
    await stage.quiet()
    await pass_hours(stage, 3)
    assert len(stage.faults.writes) == before + 1


@on_stage
async def test_a_caller_that_is_always_there_is_written_once_an_hour_at_most(stage: Stage) -> None:
    stage.elasticsearch.allowed = [Use("operator", "", "", EPOCH.timestamp())]
    await begin(stage, access("orders", grant("orders-*")), audit={"index": "audit", "every": "10m"})
    before = len(written(stage))
    for _ in range(36):
        use(stage, ORDERS)
        await stage.sleep(600)
    assert 5 <= len(written(stage)) - before <= 7, "six hours"


@on_stage
async def test_a_look_that_takes_long_delays_no_rights(stage: Stage) -> None:
    stage.elasticsearch.audit_takes = 250.0
    use(stage, ORDERS)
    stage.apply(search_cluster(audit=AUDIT), access("orders", grant("orders-*")))
    await stage.quiet()
    assert stage.ready("orders") == ("True", "InSync")
    stage.apply(access("stock", grant("stock-*")))
    await stage.sleep(5)
    assert stage.ready("stock") == ("True", "InSync")
    assert not looks(stage), "it still reads"
    assert stage.process
    assert stage.process.host.is_busy(), "a process that ends by itself waits for it"
    assert usage(stage, "orders") == {}
    await stage.sleep(400)
    await stage.quiet()
    assert usage(stage, "orders")["since"]
    assert not stage.process.host.is_busy()
    stage.check()


@on_stage
async def test_a_failure_keeps_what_was_known_and_shows_as_a_hint(stage: Stage) -> None:
    stage.elasticsearch.allowed = [Use("operator", "", "", EPOCH.timestamp())]
    await begin(stage, access("orders", grant("orders-*")), audit=AUDIT)
    use(stage, ORDERS)
    await pass_hours(stage, 1.2)
    known = usage(stage, "orders")
    assert known["lastUsed"]
    stage.faults.fail("elasticsearch", PermissionDenied("this login may not read audit"), "last_uses")
    await pass_hours(stage, 1.2)
    await stage.quiet()
    assert hint(stage).endswith("keeps earlier values: this login may not read audit")
    assert usage(stage, "orders") == known
    assert stage.ready("orders") == stage.cluster_ready() == ("True", "InSync")
    stage.apply(access("stock", grant("stock-*")))
    await stage.quiet()
    assert stage.ready("stock") == ("True", "InSync")
    read = len(looks(stage))
    before = len(stage.faults.writes)
    await pass_hours(stage, 6)
    assert len(looks(stage)) - read <= 14, "it backs off"
    assert len(stage.faults.writes) == before
    stage.faults.heal("elasticsearch")
    use(stage, account("stock"), ago=HOUR / 2)
    await pass_hours(stage, 1.2)
    await stage.quiet()
    assert hint(stage) == ""
    assert usage(stage, "stock")["lastUsed"], "it was used meanwhile"
    stage.check()


@on_stage
async def test_a_failure_that_passes_is_not_shown(stage: Stage) -> None:
    use(stage, ORDERS)
    stage.faults.fail("elasticsearch", Unreachable("slow"), "last_uses")
    await begin(stage, access("orders", grant("orders-*")), audit=AUDIT)
    assert (len(looks(stage)), hint(stage)) == (1, "")
    await stage.sleep(250)
    assert len(looks(stage)) >= 3
    assert hint(stage).endswith("slow")
    stage.faults.heal("elasticsearch")
    await pass_hours(stage, 1)
    assert (hint(stage), usage(stage, "orders") != {}) == ("", True)


@on_stage
async def test_an_internal_error_affects_nothing_else(stage: Stage) -> None:
    stage.faults.break_down("elasticsearch", ZeroDivisionError, "last_uses", times=1)
    use(stage, ORDERS)
    await begin(stage, access("orders", grant("orders-*")), audit=AUDIT)
    assert stage.ready("orders") == ("True", "InSync")
    assert "unexpected ZeroDivisionError" in hint(stage)
    await stage.sleep(60)
    await stage.quiet()
    assert (hint(stage), usage(stage, "orders") != {}) == ("", True)
    stage.check()


@on_stage
async def test_an_index_without_new_events_is_reported_and_counts_as_unknown(stage: Stage) -> None:
    await begin(stage, access("orders", grant("orders-*")), audit=AUDIT)
    assert "has no event of an allowed request" in hint(stage)
    assert usage(stage, "orders") == {}, "not: never used"
    use(stage, "operator")
    await pass_hours(stage, 2)
    assert hint(stage) == ""
    since = usage(stage, "orders")["since"]
    await stage.sleep(2 * DAY)
    assert "has no event since 2026-01-01" in hint(stage)
    assert usage(stage, "orders")["since"] == since
    # They come at last, with their own times.
    use(stage, ORDERS, ago=1.5 * DAY)
    use(stage, "operator")
    await stage.sleep(2 * HOUR)
    assert hint(stage) == ""
    assert usage(stage, "orders")["lastUsed"].startswith("2026-01-02")
    assert usage(stage, "orders")["since"] == since


@on_stage
async def test_an_event_of_the_future_hides_not_that_no_more_arrive(stage: Stage) -> None:
    use(stage, "operator")
    await begin(stage, access("orders", grant("orders-*")), audit=AUDIT)
    use(stage, "operator", ago=-300 * DAY)
    known = stage.cluster()["status"]["audit"]["observedUntil"]
    await stage.sleep(3 * DAY)
    assert "has no event since 2026-01-01" in hint(stage)
    assert stage.cluster()["status"]["audit"]["observedUntil"] == known, "nothing is known since then"


@on_stage
async def test_what_was_deleted_from_the_index_is_unknown_not_unused(stage: Stage) -> None:
    use(stage, "operator")
    await begin(stage, access("orders", grant("orders-*")), audit=AUDIT)
    since = usage(stage, "orders")["since"]
    await stage.stop()
    await stage.sleep(60 * DAY)
    stage.elasticsearch.allowed = []
    use(stage, "operator", ago=10 * DAY)
    use(stage, "operator")
    stage.start()
    await stage.quiet()
    found = usage(stage, "orders")
    assert found["since"] > since
    assert found["since"].startswith("2026-02-20"), "the first event that the index still has"


@on_stage
async def test_without_declared_events_statuses_have_no_last_use(stage: Stage) -> None:
    use(stage, ORDERS)
    await begin(stage, access("orders", grant("orders-*")))
    await pass_hours(stage, 2)
    assert not looks(stage)
    stage.kubernetes.change(CLUSTER_KEY, lambda raw: raw["spec"].update(audit=AUDIT))
    await stage.quiet()
    assert usage(stage, "orders")
    stage.kubernetes.change(CLUSTER_KEY, lambda raw: raw["spec"].pop("audit"))
    await stage.quiet()
    assert usage(stage, "orders") == {}
    assert "audit" not in stage.cluster()["status"]
    stage.check()


@on_stage
async def test_another_caller_begins_anew(stage: Stage) -> None:
    use(stage, "operator")
    await begin(stage, access("orders", grant("orders-*")), audit=AUDIT)
    use(stage, ORDERS)
    await pass_hours(stage, 1.2)
    assert usage(stage, "orders")["lastUsed"]
    stage.apply(access("orders", grant("orders-*"), principal=account("other")))
    await stage.quiet()
    assert usage(stage, "orders") == {}
    await pass_hours(stage, 1.2)
    assert usage(stage, "orders")
    assert "lastUsed" not in usage(stage, "orders")


@on_stage
async def test_a_key_is_known_by_its_id_and_before_by_a_name_that_only_we_can_give(stage: Stage) -> None:
    stage.elasticsearch.rights_now = None
    use(stage, "operator")
    stores = [{"name": "main", "kubernetes": {}}]
    keyed = access("keyed", grant("orders-*"), auth="ApiKey", credential={"store": "main", "name": "keyed"})
    await begin(stage, keyed, audit=AUDIT, secretStores=stores)
    assert stage.ready("keyed") == ("True", "InSync")
    key_id = stage.get("keyed")["status"]["credential"]["keyId"]
    prefix = OPERATOR.role_name("")
    use(stage, "mallory", key_id="another", key_name=f"{prefix}shop/keyed.7")
    await pass_hours(stage, 1.2)
    assert "lastUsed" not in usage(stage, "keyed"), "anybody may give a key that name"
    use(stage, "operator", key_id=key_id, key_name=f"{prefix}shop/keyed.1")
    await pass_hours(stage, 1.2)
    assert usage(stage, "keyed")["lastUsed"]
