"""Index patterns that Elasticsearch could not evaluate together never come into one role."""

import pytest

from searchaccess.api.conditions.reasons import Reason
from tests.component.common import ORDERS, ROLE, begin, granted
from tests.support.loop.stage import Stage, on_stage
from tests.support.worlds.world import access, condition_in, grant

FLOATING = [f"*{one}*{number}" for number, one in enumerate("abcdefghijklmn")]


def ready(stage: Stage, name: str) -> tuple[str, str]:
    found = condition_in(stage.get(name), "Ready")
    return found["status"], found["reason"]


@on_stage
async def test_who_makes_a_shared_role_too_complicated_is_reported_and_the_others_are_served(stage: Stage) -> None:
    await begin(stage, access("old", grant(*FLOATING[:7]), principal=ORDERS))
    stage.apply(
        access("new", grant(*FLOATING[7:]), principal=ORDERS),
        access("other", grant("other-*"), principal=ORDERS),
    )
    await stage.quiet()
    assert ready(stage, "old") == ready(stage, "other") == ("True", "InSync")
    assert ready(stage, "new") == ("False", Reason.TOO_COMPLICATED)
    message = condition_in(stage.get("new"), "Ready")["message"]
    assert message.startswith("with *h*7, *i*8, *j*9 and 4 more the role of")
    assert condition_in(stage.get("new"), "Stalled")["status"] == "True"
    assert granted(stage) == {*FLOATING[:7], "other-*"}

    stage.delete("old")
    await stage.quiet()
    assert ready(stage, "new") == ("True", "InSync")
    assert granted(stage) == {*FLOATING[7:], "other-*"}


@on_stage
async def test_patterns_that_somebody_added_do_not_keep_the_role_from_being_corrected(stage: Stage) -> None:
    await begin(stage, access("orders", grant("orders-*"), principal=ORDERS))
    role = stage.role(ORDERS)
    await stage.stop()
    added = {"names": [f"*{one}*{two}*0" for one in "abcdefghijklm" for two in "xyz"], "privileges": ["read"]}
    stage.elasticsearch.write_role(ROLE, role | {"indices": [*role["indices"], added]})
    stage.amend("orders", grants=[grant("orders-*", "invoices")])
    stage.start()
    await stage.quiet()
    stage.check()
    assert granted(stage) == {"orders-*", "invoices"}


def test_two_stars_are_written_as_one_and_an_older_role_is_corrected_once(monkeypatch: pytest.MonkeyPatch) -> None:
    @on_stage
    async def play(stage: Stage) -> None:
        with monkeypatch.context() as earlier:
            earlier.setattr("searchaccess.core.model.parsing.without_runs", lambda pattern: pattern)
            await begin(stage, access("orders", grant("**", "orders-*")), access("other", grant("x*")))
            assert granted(stage) == {"**", "orders-*"}
            await stage.stop()
        before = len(stage.faults.writes)
        stage.start()
        await stage.quiet()
        assert granted(stage) == {"*", "orders-*"}
        roles = [call.names for call in stage.faults.writes[before:] if call.method == "put_roles"]
        assert roles == [(ROLE,)]
        assert stage.ready("orders") == ("True", "InSync")
        assert stage.notes("orders") == [], "nobody caused drift"
        assert await stage.reconcile_all() == []

    play()


def test_two_stars_beside_one_are_the_same_name() -> None:
    @on_stage
    async def play(stage: Stage) -> None:
        await begin(stage, access("orders", grant("*", "**", "or**ders", "/a.*b/")))
        assert granted(stage) == {"*", "or*ders", "/a.*b/"}
        assert await stage.reconcile_all() == []

    play()
