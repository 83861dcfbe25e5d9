"""State in, state out: keys, users and secrets of namespaces that are not watched are held."""

from typing import Any

import pytest

from searchaccess.ports.stores import Place
from tests.component.credentials.common import begin, days_pass, live, read, store, with_key, with_password
from tests.component.credentials.ownership.test_takeover import decide, live_before, works
from tests.component.watching import SEEN, UNSEEN, key_in, unseen, warned, watch_only
from tests.support.loop.stage import CLUSTER_KEY, Stage, on_stage, search_cluster
from tests.support.memory.elasticsearch import MemoryElasticsearch

KINDS = pytest.mark.parametrize("declared", [with_key, with_password])
HIDDEN = Place(UNSEEN, "others-elasticsearch")


def hidden(declared: Any, name: str = "others", **more: Any) -> dict[str, Any]:
    """Return a SearchAccess of the namespace that is not watched later."""
    raw: dict[str, Any] = declared(name, **more)
    raw["metadata"]["namespace"] = UNSEEN
    return raw


def issued(server: MemoryElasticsearch) -> tuple[Any, ...]:
    """Return all keys, and all users with their roles."""
    users = {name: dict(raw) for name, raw in server.users_now.items()}
    roles = {name: dict(raw) for name, raw in server.roles_now.items()}
    return [dict(raw) for raw in server.live_keys()], users, roles


@KINDS
def test_what_was_issued_for_a_namespace_that_is_not_watched_stays(declared: Any) -> None:
    @on_stage
    async def play(stage: Stage) -> None:
        await begin(stage, hidden(declared))
        before, held = issued(stage.elasticsearch), read(stage, HIDDEN)
        await watch_only(stage, SEEN)
        stage.kubernetes.objects.pop(key_in(UNSEEN, "others"))
        assert await stage.reconcile_all() == []
        assert issued(stage.elasticsearch) == before
        assert read(stage, HIDDEN) == held
        [shown] = unseen(stage)
        assert shown.endswith(f"of namespace {UNSEEN}")
        assert [line["count"] for line in warned(stage)] == [1]

    play()


@KINDS
def test_others_are_served_and_end_beside_it(declared: Any) -> None:
    @on_stage
    async def play(stage: Stage) -> None:
        await begin(stage, hidden(declared), declared("orders"))
        held = read(stage, HIDDEN)
        await watch_only(stage, SEEN)
        assert stage.ready("orders") == ("True", "InSync")
        stage.annotate(key_in(SEEN, "orders"), "searchaccess.dev/rotate-requested-at", "now")
        await stage.quiet()
        await days_pass(stage, 1)
        await stage.quiet()
        assert stage.get("orders")["status"]["credential"]["rotationRequest"] == "now"
        stage.delete("orders")
        await stage.quiet()
        await stage.reconcile_all()
        assert not stage.get("orders")
        assert works(stage) == {held} == {read(stage, HIDDEN)}

    play()


@KINDS
def test_who_declares_rights_of_its_own_there_now_loses_nothing(declared: Any) -> None:
    """It would be revoked after an overlap, could it be seen."""

    @on_stage
    async def play(stage: Stage) -> None:
        await begin(stage, hidden(declared))
        held = read(stage, HIDDEN)
        await stage.stop()
        stage.kubernetes.change(key_in(UNSEEN, "others"), lambda raw: raw["spec"].update(cluster="elsewhere"))
        await watch_only(stage, SEEN)
        await days_pass(stage, 8)
        await stage.quiet()
        assert works(stage) == {held} == {read(stage, HIDDEN)}

    play()


@KINDS
@pytest.mark.parametrize("gone", [True, False])
def test_when_it_is_watched_again_what_is_not_declared_any_more_goes(declared: Any, *, gone: bool) -> None:
    @on_stage
    async def play(stage: Stage) -> None:
        await begin(stage, hidden(declared))
        held = read(stage, HIDDEN)
        await watch_only(stage, SEEN)
        if gone:
            stage.kubernetes.objects.pop(key_in(UNSEEN, "others"))
        await watch_only(stage, SEEN, UNSEEN)
        await stage.reconcile_all()
        assert works(stage) == (set() if gone else {held})
        assert bool(store(stage).newest(HIDDEN)) is not gone
        assert unseen(stage) == []

    play()


@KINDS
def test_a_namespace_that_may_be_listed_again_is_noticed_without_a_restart(declared: Any) -> None:
    @on_stage
    async def play(stage: Stage) -> None:
        await begin(stage, hidden(declared))
        await watch_only(stage, SEEN, UNSEEN)
        await stage.stop()
        stage.kubernetes.watched = stage.kubernetes.watched.without([UNSEEN])
        stage.kubernetes.objects.pop(key_in(UNSEEN, "others"))
        stage.start()
        await stage.quiet()
        assert works(stage)
        stage.kubernetes.watched = stage.kubernetes.watched.without([])
        await stage.sleep(400)
        await stage.quiet()
        assert works(stage) == set()
        assert unseen(stage) == []

    play()


@KINDS
def test_what_a_former_installation_issued_stays_although_undeclared_credentials_end(declared: Any) -> None:
    @on_stage
    async def play(stage: Stage) -> None:
        await live_before(stage, hidden(declared), declared("undeclared"))
        held = read(stage, HIDDEN)
        await watch_only(stage, SEEN)
        await begin(stage, declared("orders"))
        decide(stage, credentials="Revoke")
        await stage.quiet()
        await stage.reconcile_all()
        assert works(stage) == {held, read(stage)}
        assert read(stage, HIDDEN) == held

    play()


@on_stage
async def test_a_searchcluster_waits_for_keys_that_cannot_be_seen(stage: Stage) -> None:
    await begin(stage, hidden(with_key))
    await watch_only(stage, SEEN)
    stage.kubernetes.delete(CLUSTER_KEY)
    await stage.quiet()
    await stage.sleep(60)
    assert stage.cluster_ready() == ("False", "InUse")
    assert live(stage)
    stage.apply(search_cluster())
    await stage.quiet()
    assert live(stage)
