"""How a request is followed: by a list and a watch, whatever becomes of them."""

import asyncio
import io
import sys
from collections.abc import AsyncGenerator
from typing import TYPE_CHECKING, Any, cast

import pytest

from searchaccess.cli.requests import verbs
from searchaccess.cli.requests.targets import Following
from searchaccess.core.answers.verbs.outcomes import Asked, Outcome, Verb
from searchaccess.operator.answers import changing
from searchaccess.operator.answers.changing import Changes
from searchaccess.ports.errors import ExternalError, LoginRefused, PermissionDenied, Unreachable
from tests.unit.answers.test_statuses import ready
from tests.unit.builders import a_search_access

if TYPE_CHECKING:
    from searchaccess.adapters.kubernetes.client import KubernetesClient

BEFORE, AFTER = ready(), ready(lastHandledReconcileAt="t")
Step = list[dict[str, Any]] | ExternalError


class Script:
    """An API server that gives one list, or the events of one watch, after the other."""

    def __init__(self, *steps: Step) -> None:
        self._steps = list(steps)
        self.paths: list[str] = []

    async def _next(self, path: str) -> list[dict[str, Any]]:
        self.paths.append(path.rpartition("/")[2])
        if not self._steps:
            await asyncio.Event().wait()
        step = self._steps.pop(0)
        if isinstance(step, ExternalError):
            raise step
        return step

    async def call(self, _: str, path: str) -> dict[str, Any]:
        return {"metadata": {"resourceVersion": "7"}, "items": await self._next(path)}

    async def stream(self, path: str) -> AsyncGenerator[dict[str, Any], None]:
        for event in await self._next(path):
            yield event


def event(kind: str, raw: dict[str, Any]) -> dict[str, Any]:
    return {"type": kind, "object": raw}


def one(name: str = "orders", status: dict[str, Any] | None = None) -> dict[str, Any]:
    return a_search_access(name, status=BEFORE if status is None else status)


async def follow(*steps: Step, names: tuple[str, ...] = ("orders",), within: float = 30) -> tuple[list[str], Script]:
    script, told = Script(*steps), list[Outcome]()
    raws = [one(name) for name in names]
    asked = {raw["metadata"]["uid"]: Asked(Verb.REFRESH, "t", 1) for raw in raws}
    changes = Changes(cast("KubernetesClient", script))
    outcomes = await changes.follow(asked, raws, within, lambda _, outcome: told.append(outcome))
    return [f"{outcome.state}: {outcome.text}" for outcome in outcomes.values()], script


@pytest.fixture(autouse=True)
def _without_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(changing, "POLL_EVERY", 0.0)


@pytest.mark.parametrize(
    ("steps", "ends"),
    [
        (([one(status=AFTER)],), "done: InSync"),
        (([one()], [event("MODIFIED", one()), event("MODIFIED", one(status=AFTER))]), "done: InSync"),
        (([one()], [event("DELETED", one())]), "refused: it was deleted"),
        (([],), "refused: it was deleted"),
        (([one("orders", BEFORE) | {"metadata": one()["metadata"] | {"uid": "another"}}],), "refused: it was deleted"),
        (([one()], [event("ERROR", {"code": 410})], [one(status=AFTER)]), "done: InSync"),
        (([one()], [], [one(status=AFTER)]), "done: InSync"),
        (([one()], PermissionDenied("no watch"), [one(status=AFTER)]), "done: InSync"),
        ((Unreachable("down"), [one()], Unreachable("down"), [one(status=AFTER)]), "done: InSync"),
    ],
    ids=["list", "watch", "deleted", "gone", "recreated", "outdated", "watch ends", "may not watch", "down"],
)
async def test_it_ends_with_what_became_of_it(steps: tuple[Step, ...], ends: str) -> None:
    found, script = await follow(*steps)
    assert found == [ends]
    assert len(script.paths) == len(steps)
    assert script.paths[0] == "searchaccesses?fieldSelector=metadata.name%3Dorders&"


async def test_what_a_person_must_mend_ends_it() -> None:
    refused = LoginRefused("log in again")
    with pytest.raises(LoginRefused) as raised:
        await follow([one()], refused)
    assert raised.value is refused


async def test_many_of_a_namespace_need_one_watch() -> None:
    events = [event("MODIFIED", one(name, AFTER)) for name in ("a", "other", "b")]
    found, script = await follow([one("a"), one("b")], events, names=("a", "b"))
    assert found == ["done: InSync", "done: InSync"]
    assert script.paths == ["searchaccesses?", "searchaccesses?watch=1&resourceVersion=7"]


async def test_what_is_not_done_in_time_stays_pending() -> None:
    found, _ = await follow([one()], within=0.05)
    assert found == ["pending: the operator has not handled the request yet"]


@pytest.mark.parametrize("columns", [60, 80, 200])
def test_what_became_of_each_keeps_its_name_whole_on_any_terminal(
    columns: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    terminal, name = io.StringIO(), "settlement-of-all-orders-in-europe-west1-production-and-staging"
    monkeypatch.setattr(terminal, "isatty", lambda: True)
    monkeypatch.setattr(sys, "stdout", terminal)
    monkeypatch.setenv("COLUMNS", str(columns))
    verbs._show([verbs._Line(one("orders")), verbs._Line(one(name))], Following(no_wait=True))
    shown = terminal.getvalue()
    assert f"shop/{name}" in shown
    assert shown.count("pending") == 2
