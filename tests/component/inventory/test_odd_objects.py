"""An object that nobody can read costs itself alone: everybody else is served, before and after a restart."""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

import pytest

from searchaccess.api.constants import ANNOTATION_ADOPT, ANNOTATION_RECONCILE
from searchaccess.core.clusters.cluster import cluster_from_object
from searchaccess.core.clusters.sources import Source
from searchaccess.core.model.intake.metadata import REQUEST_LIMIT
from searchaccess.core.model.parsing import access_from_object
from searchaccess.engine.inventory import intake
from searchaccess.engine.lister import RESYNC_PERIOD
from searchaccess.ports.kubernetes import Plural
from tests.component.common import ORDERS, begin, granted
from tests.support.failures.odd import HUGE, nested, queries
from tests.support.loop.clocks import run_virtually
from tests.support.loop.stage import CLUSTER_KEY, Stage, access_key, on_stage, search_cluster
from tests.support.pem import CERTIFICATE, PLACEHOLDER
from tests.support.worlds.world import SYSTEM, access, account, condition_in, grant

INVALID = ("False", "InvalidSpec")
IN_SYNC = ("True", "InSync")
ODD = account("odd")


def play(story: Callable[..., Coroutine[Any, Any, None]], *arguments: Any) -> None:
    """Perform a play that takes arguments."""

    async def reported(stage: Stage) -> None:
        await story(stage, *arguments)

    on_stage(reported)()


def _odd(where: Any = None, **spec: Any) -> dict[str, Any]:
    return access("odd", grant("odd-*", **({"where": where} if where else {})), principal=ODD, **spec)


async def _others_are_served(stage: Stage, name: str) -> None:
    """Declare something new, and revoke something old."""
    stage.apply(access(name, grant(f"{name}-*")))
    await stage.quiet()
    assert stage.ready(name) == IN_SYNC
    assert granted(stage, account(name)) == {f"{name}-*"}
    stage.delete(name)
    await stage.quiet()
    assert not stage.get(name)
    assert stage.role(account(name)) == {}


async def _costs_itself_alone(stage: Stage, expected: tuple[str, str]) -> None:
    await _others_are_served(stage, "later")
    assert stage.ready("odd") == expected
    await stage.restart()
    await _others_are_served(stage, "latest")
    assert stage.ready("odd") == expected
    assert stage.ready("orders") == IN_SYNC
    assert granted(stage) == {"orders-*"}
    stage.delete("odd")
    await stage.quiet()
    assert not stage.get("odd")


async def _by_watch(stage: Stage, raw: dict[str, Any], expected: tuple[str, str]) -> None:
    await begin(stage, access("orders", grant("orders-*")))
    stage.apply(raw)
    await stage.quiet()
    assert stage.ready("odd") == expected
    await _costs_itself_alone(stage, expected)


async def _by_list(stage: Stage, raw: dict[str, Any], expected: tuple[str, str]) -> None:
    await begin(stage, access("orders", grant("orders-*")))
    await stage.stop()
    stage.apply(raw)
    stage.start()
    await stage.quiet()
    assert stage.ready("odd") == expected
    await _costs_itself_alone(stage, expected)


WAYS = {"watch": _by_watch, "list": _by_list}


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize(("count", "expected"), [(21, IN_SYNC), (170, INVALID), (480, INVALID), (1500, INVALID)])
def test_a_query_nested_too_deep_is_reported_with_the_limit_and_all_others_are_served(
    way: str, count: int, expected: tuple[str, str]
) -> None:
    async def story(stage: Stage) -> None:
        await WAYS[way](stage, _odd(queries(count)), expected)

    play(story)


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize(
    "where", [{"term": {"a": HUGE}}, {"term": {"a": "\ud800"}}, {"terms": {"a": ["x" * 100] * 400}}], ids=range(3)
)
def test_a_query_that_cannot_be_written_is_reported_and_all_others_are_served(way: str, where: dict[str, Any]) -> None:
    async def story(stage: Stage) -> None:
        await WAYS[way](stage, _odd(where), INVALID)

    play(story)


def test_the_message_has_the_limit() -> None:
    async def story(stage: Stage) -> None:
        await begin(stage, _odd(queries(170)))
        message = condition_in(stage.get("odd"), "Ready")["message"]
        assert "spec.grants[0].where: nested more than 61 levels" in message
        assert "Elasticsearch accepts at most 30 nested queries" in message

    play(story)


@on_stage
async def test_a_query_that_becomes_too_deep_holds_what_there_was(stage: Stage) -> None:
    await begin(stage, access("orders", grant("orders-*", where={"term": {"region": "eu"}})))
    before = stage.role(ORDERS)
    stage.amend("orders", grants=[grant("more-*", where=queries(31))])
    await stage.quiet()
    assert stage.ready("orders") == INVALID
    await stage.restart()
    await stage.quiet()
    assert stage.role(ORDERS) == before
    stage.amend("orders", grants=[grant("more-*")])
    await stage.quiet()
    assert stage.ready("orders") == IN_SYNC
    assert granted(stage) == {"more-*"}


@pytest.mark.parametrize("status", [nested(150, lambda inner: {"a": inner}), {"a": HUGE}, {"a": "\ud800"}, "text", [1]])
def test_a_status_that_nobody_can_read_is_written_anew(status: Any) -> None:
    async def story(stage: Stage) -> None:
        await begin(stage, access("orders", grant("orders-*")))
        for key in (access_key("orders"), CLUSTER_KEY):
            stage.kubernetes.change(key, lambda raw: raw.update(status=status))
        await stage.quiet()
        assert (stage.ready("orders"), stage.cluster_ready()) == (IN_SYNC, IN_SYNC)
        await stage.stop()
        for key in (access_key("orders"), CLUSTER_KEY):
            stage.kubernetes.change(key, lambda raw: raw.update(status=status))
        stage.start()
        await stage.quiet()
        assert (stage.ready("orders"), stage.cluster_ready()) == (IN_SYNC, IN_SYNC)
        await _others_are_served(stage, "later")

    play(story)


@on_stage
async def test_a_long_annotation_is_echoed_in_a_bounded_length(stage: Stage) -> None:
    await begin(stage, access("orders", grant("orders-*")))
    for key in (access_key("orders"), CLUSTER_KEY):
        stage.annotate(key, ANNOTATION_RECONCILE, "x" * 250_000)
        stage.annotate(key, ANNOTATION_ADOPT, "x" * 250_000)
    await stage.quiet()
    first = stage.get("orders")["status"]["lastHandledReconcileAt"]
    assert len(first) == len(stage.cluster()["status"]["lastHandledReconcileAt"]) == REQUEST_LIMIT
    stage.annotate(access_key("orders"), ANNOTATION_RECONCILE, "x" * 250_001)
    await stage.quiet()
    assert stage.get("orders")["status"]["lastHandledReconcileAt"] != first
    assert stage.ready("orders") == IN_SYNC


# Certificates


async def _cluster_says(stage: Stage, reason: str, says: str) -> None:
    ready = condition_in(stage.cluster(), "Ready")
    assert (ready["status"], ready["reason"]) == ("False", reason)
    assert says in ready["message"]
    assert stage.ready("orders") == ("False", reason)
    assert stage.elasticsearch.roles_now == {}


@on_stage
async def test_a_placeholder_in_place_of_a_certificate_is_reported(stage: Stage) -> None:
    stage.apply(search_cluster(ca={"inline": PLACEHOLDER}), access("orders", grant("orders-*")))
    await stage.quiet()
    await _cluster_says(stage, "InvalidSpec", "spec.ca.inline contains no readable certificate")
    stage.apply(search_cluster(ca={"inline": CERTIFICATE}))
    await stage.quiet()
    assert stage.ready("orders") == IN_SYNC


@pytest.mark.parametrize(("kind", "field"), [("Secret", "secretRef"), ("ConfigMap", "configMapRef")])
def test_a_placeholder_in_an_object_is_reported_with_object_and_key(kind: Any, field: str) -> None:
    async def story(stage: Stage) -> None:
        source = Source(kind, SYSTEM, "authority")
        stage.kubernetes.sources[source] = {"ca.crt": PLACEHOLDER.encode()}
        ca = {field: {"namespace": SYSTEM, "name": "authority"}}
        stage.apply(search_cluster(ca=ca), access("orders", grant("orders-*")))
        await asyncio.sleep(20)
        await _cluster_says(stage, "LoginMissing", f"{source}: ca.crt contains no readable certificate")
        stage.kubernetes.sources[source] = {"ca.crt": CERTIFICATE.encode()}
        await asyncio.sleep(60)
        assert stage.ready("orders") == IN_SYNC

    play(story)


def test_a_list_that_has_something_without_a_name_goes_on() -> None:
    async def story() -> None:
        stage = Stage()
        stage.apply(search_cluster(), access("orders", grant("orders-*")))
        for number, metadata in enumerate(({"uid": "u"}, {"name": "a"}, {"uid": "v", "name": 7}, {})):
            raw = {"kind": "SearchAccess", "metadata": metadata}
            stage.kubernetes.objects[Plural.ACCESSES, "shop", f"odd-{number}"] = raw
        stage.apply(access("last", grant("last-*")))
        # It looks every owner up by its uid.
        stage.elasticsearch.on_role = lambda _name, _raw: None
        stage.start()
        await stage.quiet()
        assert (stage.ready("orders"), stage.ready("last")) == (IN_SYNC, IN_SYNC)
        await stage.stop()
        stage.check_rules()

    run_virtually(story())


# Faults of our own


@pytest.mark.parametrize("listed", [True, False], ids=["list", "watch"])
def test_a_fault_of_ours_at_one_object_is_reported_there_and_heals_by_itself(
    monkeypatch: pytest.MonkeyPatch, *, listed: bool
) -> None:
    broken = {"odd"}
    actual = access_from_object

    def read(raw: Any) -> Any:
        if raw["metadata"]["name"] in broken:
            raise KeyError("something")
        return actual(raw)

    async def story(stage: Stage) -> None:
        stage.faults.broke = True
        await begin(stage, access("orders", grant("orders-*")), access("odd", grant("odd-*"), principal=ODD))
        monkeypatch.setattr(intake, "access_from_object", read)
        before = stage.role(ODD)
        if listed:
            await stage.restart()
        else:
            stage.amend("odd", grants=[grant("else-*")])
        await stage.quiet()
        assert stage.ready("odd") == ("False", "InternalError")
        assert "KeyError (intake)" in condition_in(stage.get("odd"), "Ready")["message"]
        assert stage.role(ODD) == before, "it holds what it had"
        await _others_are_served(stage, "later")
        broken.clear()
        await stage.sleep(RESYNC_PERIOD + 5)
        await stage.quiet()
        assert stage.ready("odd") == IN_SYNC
        assert granted(stage, ODD) == ({"odd-*"} if listed else {"else-*"})

    play(story)


def test_a_fault_of_ours_at_a_cluster_is_reported_there_and_heals_by_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    actual = cluster_from_object

    def read(raw: Any) -> Any:
        raise KeyError(raw["metadata"]["name"])

    async def story(stage: Stage) -> None:
        stage.faults.broke = True
        monkeypatch.setattr(intake, "cluster_from_object", read)
        await begin(stage, access("orders", grant("orders-*")))
        assert stage.cluster_ready() == stage.ready("orders") == ("False", "InternalError")
        monkeypatch.setattr(intake, "cluster_from_object", actual)
        await stage.sleep(RESYNC_PERIOD + 5)
        await stage.quiet()
        assert stage.cluster_ready() == stage.ready("orders") == IN_SYNC

    play(story)
