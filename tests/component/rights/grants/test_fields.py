"""Restricted fields: an earlier form of them is a pending change, and ways around them are reported."""

from collections.abc import Iterable
from typing import Any

import pytest

from searchaccess.core.model import parsing
from searchaccess.ports.errors import Unreachable
from tests.component.common import ORDERS, begin, drift
from tests.support.failures.faults import Call
from tests.support.loop.stage import Stage, on_stage
from tests.support.worlds.world import access, condition_in, grant

HIDING: dict[str, Any] = {"fields": {"exclude": ["customer.ssn"]}}


def literally(names: Iterable[str]) -> tuple[str, ...]:
    """Return names as an earlier version wrote them."""
    return tuple(sorted(set(names)))


def bypass(stage: Stage, name: str) -> str:
    return str(condition_in(stage.get(name), "Bypassable").get("reason", ""))


def test_a_role_with_the_literal_names_is_changed_and_is_no_drift(monkeypatch: pytest.MonkeyPatch) -> None:
    @on_stage
    async def play(stage: Stage) -> None:
        with monkeypatch.context() as earlier:
            earlier.setattr(parsing, "with_all_below", literally)
            await begin(stage, access("orders", grant("orders-*", **HIDING)), access("billing", grant("billing-*")))
            await stage.stop()
        assert stage.role(ORDERS)["indices"][0]["field_security"]["except"] == ["customer.ssn"]
        before = len(stage.faults.writes)
        stage.start()
        await stage.quiet()
        stage.check()
        written = [call.names for call in stage.faults.writes[before:] if call.method == "put_roles"]
        assert [len(names) for names in written] == [1], "roles without fields are as they were"
        assert stage.role(ORDERS)["indices"][0]["field_security"]["except"] == ["customer.ssn", "customer.ssn.*"]
        assert stage.ready("orders") == ("True", "InSync")
        assert drift(stage) == {"open": 0, "detected": 0, "corrected": 0}

    play()


@on_stage
async def test_a_writer_beside_hidden_fields_is_told_to_whom_it_concerns_while_it_is_so(stage: Stage) -> None:
    await begin(stage, access("orders", grant("orders-*", **HIDING)))
    assert bypass(stage, "orders") == ""
    stage.apply(access("writer", grant("orders-1", can=["write"]), principal=ORDERS))
    await stage.quiet()
    stage.check()
    assert bypass(stage, "orders") == "DocumentsReachable"
    message = condition_in(stage.get("orders"), "Bypassable")["message"]
    assert "_update" in message
    assert "copy_to" in message
    assert bypass(stage, "writer") == ""
    assert stage.ready("orders") == ("True", "InSync")
    stage.delete("writer")
    await stage.quiet()
    stage.check()
    assert bypass(stage, "orders") == ""


@on_stage
async def test_a_way_to_documents_of_others_is_reported(stage: Stage) -> None:
    await begin(stage, access("orders", grant("mine-*"), clusterCan=["manage_index_templates"]))
    stage.check()
    assert bypass(stage, "orders") == "DocumentsReachable"


COPYING: dict[str, Any] = {
    "aliases": {},
    "mappings": {"properties": {"customer": {"properties": {"ssn": {"copy_to": "everything"}}}}},
}


def read_mappings(stage: Stage) -> list[tuple[str, ...]]:
    return [call.names for call in stage.faults.calls if call.method == "copied_fields"]


@on_stage
async def test_a_copy_of_a_hidden_field_is_reported_after_a_sweep_and_goes_with_it(stage: Stage) -> None:
    await begin(stage, access("orders", grant("orders-*", **HIDING)), access("billing", grant("billing-*")))
    assert stage.elasticsearch.indices_now is not None
    stage.elasticsearch.indices_now["orders-1"] = COPYING
    await stage.reconcile_all()
    await stage.quiet()
    warning = condition_in(stage.get("orders"), "Bypassable")
    assert (warning["reason"], warning["message"]) == (
        "FieldsReachable",
        "customer.ssn of orders-1 is copied to everything",
    )
    assert stage.ready("orders") == ("True", "InSync")
    del stage.elasticsearch.indices_now["orders-1"]
    await stage.reconcile_all()
    await stage.quiet()
    assert bypass(stage, "orders") == ""
    assert set(read_mappings(stage)) == {("orders-*",)}


@on_stage
async def test_a_cluster_without_hidden_fields_is_not_asked(stage: Stage) -> None:
    await begin(stage, access("orders", grant("orders-*")))
    await stage.reconcile_all()
    assert read_mappings(stage) == []


@on_stage
async def test_mappings_that_may_not_be_read_keep_nobody_from_being_in_sync(stage: Stage) -> None:
    stage.elasticsearch.indices_now = None
    await begin(stage, access("orders", grant("orders-*", **HIDING)))
    stage.check()
    assert (stage.ready("orders"), bypass(stage, "orders")) == (("True", "InSync"), "")


@pytest.mark.parametrize("error", [Unreachable("gone"), RuntimeError("a fault of ours")], ids=["outside", "ours"])
def test_mappings_that_cannot_be_read_keep_nobody_from_being_in_sync(error: Exception) -> None:
    @on_stage
    async def play(stage: Stage) -> None:
        await begin(stage, access("orders", grant("orders-*", **HIDING)))
        assert stage.elasticsearch.indices_now is not None
        stage.elasticsearch.indices_now["orders-1"] = COPYING
        await stage.reconcile_all()
        await stage.quiet()

        def fail(call: Call) -> None:
            if call.method == "copied_fields":
                raise error

        stage.faults.on_call = fail
        await stage.reconcile_all()
        await stage.quiet()
        stage.check()
        assert stage.ready("orders") == ("True", "InSync")
        assert bypass(stage, "orders") == "FieldsReachable", "it is not known to have gone"

    play()
