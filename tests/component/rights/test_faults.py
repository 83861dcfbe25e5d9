"""Unexpected errors of our own: each costs the principal alone that it happened to, and nothing declared is lost."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import pytest

from searchaccess.core.model.canonical import role_from_json
from searchaccess.core.policy.decision import decide
from searchaccess.core.rights.mapping import mapping_of
from searchaccess.core.rights.ownership import Role
from searchaccess.core.rights.plan import RolePlan, plan_role
from searchaccess.engine.rights.apply import ATTEMPTS
from searchaccess.engine.rights.reconcile import RightsReconciler
from searchaccess.engine.rights.work import finding_of
from searchaccess.engine.state import ClusterState, Context, Scope, Session
from searchaccess.ports.elasticsearch import Written
from searchaccess.ports.errors import Unreachable
from tests.component.common import ORDERS, ROLE, begin, granted
from tests.support.failures.faults import Call
from tests.support.loop.clocks import run_virtually
from tests.support.loop.stage import OPERATOR, Stage, access_key, on_stage, search_cluster
from tests.support.worlds.world import CLUSTER, access, account, condition_in, grant

RIGHTS = "searchaccess.engine.rights"
BAD = account("bad")
BAD_ROLE = OPERATOR.role_name(BAD)

Breaks = Callable[[pytest.MonkeyPatch, Stage], None]
"""Lets everything that concerns one principal raise at one place."""


def _planning(monkeypatch: pytest.MonkeyPatch, _: Stage) -> None:
    def broken(operator: Any, principal: str, *more: Any) -> RolePlan:
        if principal == BAD:
            raise KeyError(principal)
        return plan_role(operator, principal, *more)

    monkeypatch.setattr(f"{RIGHTS}.plan.plan_role", broken)


def _reading(monkeypatch: pytest.MonkeyPatch, _: Stage) -> None:
    def broken(raw: dict[str, Any]) -> Any:
        if raw["metadata"].get("principal") == BAD:
            raise RecursionError
        return role_from_json(raw)

    monkeypatch.setattr(f"{RIGHTS}.plan.role_from_json", broken)


def _deciding(monkeypatch: pytest.MonkeyPatch, _: Stage) -> None:
    def broken(one: Any, *more: Any) -> Any:
        if one.principal == BAD:
            raise KeyError(one.name)
        return decide(one, *more)

    for module in ("members", "mappings"):
        monkeypatch.setattr(f"{RIGHTS}.{module}.decide", broken)


def _writing(monkeypatch: pytest.MonkeyPatch, stage: Stage) -> None:
    for name in ("put_roles", "replace_roles"):
        real = getattr(stage.elasticsearch, name)

        async def broken(roles: Sequence[Role], real: Any = real) -> Written:
            if any(role.name == BAD_ROLE for role in roles):
                raise KeyError(BAD_ROLE)
            return await real(roles)  # type: ignore[no-any-return]

        monkeypatch.setattr(stage.elasticsearch, name, broken)
    _deleting(monkeypatch, stage)


def _deleting(monkeypatch: pytest.MonkeyPatch, stage: Stage) -> None:
    real = stage.elasticsearch.delete_roles

    async def broken(names: Sequence[str]) -> Written:
        if BAD_ROLE in names:
            raise KeyError(BAD_ROLE)
        return await real(names)

    monkeypatch.setattr(stage.elasticsearch, "delete_roles", broken)


def _building_facts(monkeypatch: pytest.MonkeyPatch, _: Stage) -> None:
    def broken(work: Any, uid: str) -> Any:
        if work.principal == BAD:
            raise KeyError(uid)
        return finding_of(work, uid)

    monkeypatch.setattr(f"{RIGHTS}.facts.finding_of", broken)


PLACES: dict[str, Breaks] = {
    "planning": _planning,
    "reading its role": _reading,
    "deciding": _deciding,
    "writing": _writing,
    "building facts": _building_facts,
}


@contextmanager
def broken(breaks: Breaks, stage: Stage) -> Iterator[None]:
    with pytest.MonkeyPatch.context() as monkeypatch:
        breaks(monkeypatch, stage)
        yield


def faults_in(stage: Stage) -> list[Any]:
    return [entry for logs in stage.logs for entry in logs if entry["event"] == "internal error"]


@pytest.mark.parametrize("breaks", PLACES.values(), ids=PLACES)
def test_a_fault_in_one_principal_is_reported_there_and_costs_nobody_else_anything(breaks: Breaks) -> None:
    async def play(stage: Stage) -> None:
        await begin(stage, access("bad", grant("bad-*")), access("leaver", grant("leaver-*")))
        with broken(breaks, stage):
            stage.apply(*[access(f"new{number}", grant("x-*")) for number in range(5)])
            stage.amend("bad", grants=[grant("bad-new")])
            stage.delete("leaver")
            began = stage.clock.monotonic()
            while stage.get("leaver") or stage.ready("new4") != ("True", "InSync"):
                await stage.sleep(0.1)
                assert stage.clock.monotonic() - began < 5
            await stage.sleep(20)
            assert stage.ready("bad") == ("False", "InternalError")
            assert [stage.ready(f"new{number}") for number in range(5)] == [("True", "InSync")] * 5
            assert stage.cluster_ready() == ("False", "InternalError")
            tried = len(faults_in(stage))
            assert 0 < tried < 60, "with back-off"
        await stage.sleep(6)
        assert stage.ready("bad") == ("True", "InSync")
        assert granted(stage, BAD) == {"bad-new"}
        assert stage.cluster_ready() == ("True", "InSync")
        stage.check()

    on_stage(play)()


@pytest.mark.parametrize("breaks", PLACES.values(), ids=PLACES)
def test_what_is_deleted_during_a_fault_is_held_back_until_its_rights_are_gone(breaks: Breaks) -> None:
    async def play(stage: Stage) -> None:
        await begin(stage, access("bad", grant("bad-*")), access("other", grant("other-*")))
        with broken(breaks, stage):
            stage.delete("bad")
            await stage.sleep(20)
            assert stage.get("bad")
            assert "is not confirmed" in condition_in(stage.get("bad"), "Ready")["message"]
            await stage.reconcile_all()
        await stage.sleep(6)
        assert not stage.get("bad")
        assert not stage.role(BAD)
        stage.check()

    on_stage(play)()


@on_stage
async def test_a_role_that_cannot_be_deleted_holds_up_no_other_revocation(stage: Stage) -> None:
    await begin(stage, access("bad", grant("bad-*")), *[access(f"a{number}", grant("x-*")) for number in range(9)])
    with broken(_deleting, stage):
        for name in ("bad", *(f"a{number}" for number in range(9))):
            stage.delete(name)
        await stage.sleep(2)
        assert [number for number in range(9) if stage.get(f"a{number}")] == []
        assert stage.get("bad")
    await stage.sleep(6)
    assert not stage.get("bad")
    stage.check()


@on_stage
async def test_rights_of_one_that_vanished_during_a_fault_go_after_it(stage: Stage) -> None:
    await begin(stage, access("bad", grant("bad-*")), access("other", grant("other-*")))
    with broken(_planning, stage):
        # Somebody takes the finalizer away.
        stage.delete("bad")
        stage.kubernetes.change(access_key("bad"), lambda raw: raw["metadata"].update(finalizers=[]))
        await stage.sleep(20)
        assert not stage.get("bad")
        assert stage.role(BAD)
    await stage.sleep(6)
    assert not stage.role(BAD)


@on_stage
async def test_a_single_fault_while_writing_is_counted_and_changes_nothing(stage: Stage) -> None:
    await begin(stage)
    real, raised = stage.elasticsearch.put_roles, list[int]()

    async def once(roles: Sequence[Role]) -> Written:
        if not raised:
            raised.append(1)
            raise KeyError("once")
        return await real(roles)

    stage.elasticsearch.put_roles = once  # type: ignore[method-assign]
    stage.apply(*[access(f"a{number}", grant("x-*")) for number in range(10)])
    await stage.sleep(2)
    assert len(faults_in(stage)) == 1
    stage.check()
    await stage.quiet()


@on_stage
async def test_a_client_that_is_broken_is_not_asked_a_thousand_times(stage: Stage) -> None:
    await begin(stage)
    asked: list[int] = []

    async def always(roles: Sequence[Role]) -> Written:
        asked.append(len(roles))
        raise KeyError("always")

    real, stage.elasticsearch.put_roles = stage.elasticsearch.put_roles, always  # type: ignore[method-assign]
    stage.apply(*[access(f"a{number}", grant("x-*")) for number in range(200)])
    while not asked:
        await stage.sleep(0.01)
    await stage.sleep(0)
    assert len(asked) <= 1 + ATTEMPTS
    await stage.sleep(1)
    assert {stage.ready(f"a{number}") for number in range(200)} == {("False", "InternalError")}
    stage.elasticsearch.put_roles = real  # type: ignore[method-assign]
    await stage.quiet()
    stage.check()


@pytest.mark.parametrize("kind", ["RoleTemplate", "PerPrincipal"])
def test_an_odd_mapping_under_our_names_costs_nobody_else_anything(kind: str) -> None:
    async def play(stage: Stage) -> None:
        odd = {"enabled": True, "role_templates": [{"template": "x"}], "rules": {"field": {"username": "x"}}}
        stage.elasticsearch.write_mapping(BAD_ROLE, odd)

        def broken(name: str, raw: dict[str, Any]) -> Any:
            if name == BAD_ROLE:
                raise RecursionError
            return mapping_of(name, raw)

        with pytest.MonkeyPatch.context() as monkeypatch:
            monkeypatch.setattr(f"{RIGHTS}.observe.mapping_of", broken)
            stage.apply(search_cluster(mapping=kind), access("orders", grant("orders-*")), access("bad", grant("b")))
            await stage.quiet()
            assert stage.ready("orders") == ("True", "InSync")
            expected = ("True", "InSync") if kind == "RoleTemplate" else ("False", "OwnershipConflict")
            assert stage.ready("bad") == expected
            stage.delete("orders")
            await stage.quiet()
            assert not stage.get("orders")
            assert stage.elasticsearch.mappings_now[BAD_ROLE]["rules"] == odd["rules"]
            assert faults_in(stage)

    on_stage(play)()


def test_a_mapping_that_cannot_be_written_costs_its_principal_alone() -> None:
    async def play(stage: Stage) -> None:
        stage.apply(search_cluster(mapping="PerPrincipal"))
        await stage.quiet()
        real = stage.elasticsearch.put_mapping

        async def broken(mapping: Any) -> None:
            if mapping.name == BAD_ROLE:
                raise KeyError(mapping.name)
            await real(mapping)

        stage.elasticsearch.put_mapping = broken  # type: ignore[method-assign]
        stage.apply(access("bad", grant("bad-*")), access("orders", grant("orders-*")))
        await stage.sleep(10)
        assert stage.ready("bad") == ("False", "InternalError")
        assert stage.ready("orders") == ("True", "InSync")
        stage.elasticsearch.put_mapping = real  # type: ignore[method-assign]
        await stage.sleep(6)
        assert stage.ready("bad") == ("True", "InSync")

    on_stage(play)()


def test_news_is_not_forgotten_when_the_cluster_cannot_be_read() -> None:
    """What a reconcile was to do is done by the next one, though that does not know of it and the role is as it was."""

    async def play() -> None:
        stage = Stage()
        stage.start()
        await begin(stage, access("orders", grant("orders-*")))
        assert stage.process is not None
        inventory = stage.process.inventory
        known = inventory.clusters[CLUSTER].cluster
        context = Context(
            OPERATOR, inventory, stage.kubernetes, stage.process.outbox, stage.clock, stage.google, stage.stores
        )
        cluster_state = ClusterState(uuid=stage.elasticsearch.uuid)
        session = Session(known, stage.connections[0], stage.elasticsearch, cluster_state)
        rights = RightsReconciler(context, CLUSTER)
        for _ in range(2):
            await rights.reconcile(session, Scope(full=True))
        stage.process.task.cancel()
        stage.delete("orders")
        inventory.see_access(stage.get("orders"))
        for error in (KeyError("odd"), Unreachable("away")):
            real = stage.elasticsearch.mappings

            async def broken(_: Any, error: Exception = error) -> Any:
                raise error

            stage.elasticsearch.mappings = broken  # type: ignore[method-assign, assignment]
            with pytest.raises(type(error)):
                await rights.reconcile(session, Scope(full=True, principals=frozenset({ORDERS})))
            stage.elasticsearch.mappings = real  # type: ignore[method-assign]
        assert stage.role(ORDERS)
        await rights.reconcile(session, Scope(full=True))
        assert not stage.role(ORDERS)
        await stage.stop()

    run_virtually(play())


@on_stage
async def test_each_principal_backs_off_by_itself(stage: Stage) -> None:
    await begin(stage, access("orders", grant("orders-*")))
    with broken(_planning, stage):
        stage.apply(access("bad", grant("bad-*")))
        await stage.sleep(30)
        before = len(stage.faults.calls)
        stage.apply(access("new", grant("new-*")))
        await stage.sleep(3)
        reads = [call for call in stage.faults.calls[before:] if call.method == "roles"]
        assert Call("elasticsearch", "roles", (OPERATOR.role_name(account("new")),)) in reads
        assert stage.ready("new") == ("True", "InSync")
        assert stage.role(ORDERS)
        assert ROLE not in {name for call in reads for name in call.names}
    await stage.quiet()
    stage.check()
