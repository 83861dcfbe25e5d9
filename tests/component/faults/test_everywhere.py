"""A fault of ours at every place: nothing is lost, nothing says InSync that is not, nobody else is delayed.

Each history is the same busy minute, with one fault in it: any pure function of the core, or any call of a port, raises
an unexpected error once, a few times, or until it is healed. When the fault is over, all is as declared.
"""

import functools
from collections import Counter
from typing import Any, Final

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from searchaccess.core.patterns.marks import is_mark
from tests.component.credentials.common import STORES, live, with_key
from tests.component.identities.common import declared
from tests.support.failures.breaking import ERRORS, Break, Place, breaking, counting, places
from tests.support.loop.clocks import run_virtually
from tests.support.loop.stage import OPERATOR, Stage, few_probes, search_cluster
from tests.support.memory import elasticsearch as memory_elasticsearch
from tests.support.memory import google as memory_google
from tests.support.memory import kubernetes as memory_kubernetes
from tests.support.memory import store as memory_store
from tests.support.runs.effort import examples
from tests.support.servers.googlestate import a_workload
from tests.support.worlds.world import access, account, condition_in, grant

HISTORIES: Final = 700
"""Of each of the three kinds, in CI."""
pytestmark = pytest.mark.timeout(900)
ROLE_OF_SHARED: Final = OPERATOR.role_name(account("shared"))
ROLE_OF_NEW: Final = OPERATOR.role_name(account("new"))
"""Found out before anything breaks: a fault in how roles are named is none of the tests'."""
TAMPERED: Final = {"indices": [{"names": ["*"], "privileges": ["all"]}], "metadata": OPERATOR.stamp()}


async def begin(stage: Stage) -> None:
    """Declare what there is at first."""
    stage.google.state.add_account(account("web"))
    stage.google.state.deploy(a_workload("web"), account("web"))
    stage.apply(
        search_cluster(secretStores=STORES),
        access("one", grant("one-*"), principal=account("shared")),
        access("two", grant("two-*", where={"term": {"region": "eu"}}), principal=account("shared")),
        access("goes", grant("goes-*")),
        access("apart", grant("apart-*")),
        with_key("keyed"),
        with_key("key-goes"),
        with_key("key-apart"),
        declared("web", a_workload("web")),
    )
    await stage.quiet()


async def happen(stage: Stage) -> None:
    """Let things happen: the fault comes and goes meanwhile."""
    stage.apply(access("new", grant("new-*")))
    stage.delete("goes")
    await stage.sleep(1)
    stage.amend("one", grants=[grant("other-*")])
    stage.delete("key-goes")
    stage.elasticsearch.write_role(ROLE_OF_SHARED, TAMPERED)
    await stage.sleep(3)
    stage.amend("keyed", grants=[grant("keys-*")])
    stage.apply(with_key("key-new"))
    stage.apply(access("late", grant("late-*"), principal=account("shared")))
    await stage.sleep(4)


async def recover(stage: Stage) -> None:
    """Let what failed be tried again, and all be listed and read once more, with few probes in between."""
    await stage.sleep(30)
    assert stage.process is not None
    with few_probes(stage.process.host):
        await stage.sleep(270)
    await stage.sleep(30)
    await stage.quiet()


def check(stage: Stage) -> None:
    """Check that all is as declared, and that nothing is left over."""
    for name in ("one", "two", "new", "late", "apart", "keyed", "key-new", "key-apart", "web"):
        assert stage.ready(name) == ("True", "InSync"), (name, stage.get(name).get("status"))
    assert not stage.get("goes")
    assert not stage.get("key-goes")
    assert stage.cluster_ready() == ("True", "InSync"), stage.cluster()["status"]["conditions"]
    declared_by = {"shared": {"other-*", "two-*", "late-*"}, "new": {"new-*"}, "apart": {"apart-*"}, "web": {"web-*"}}
    for name, indices in declared_by.items():
        entries = stage.role(account(name)).get("indices", [])
        found = {index for entry in entries for index in entry["names"] if not is_mark(index)}
        assert found == indices, (name, entries)
    ours = [name for name in stage.elasticsearch.roles_now if name.startswith(OPERATOR.role_name(""))]
    assert sorted(ours) == sorted(OPERATOR.role_name(account(name)) for name in declared_by), ours
    owners = Counter(key["metadata"]["owner"]["name"] for key in live(stage))
    assert owners == {"keyed": 1, "key-new": 1, "key-apart": 1}, owners


def never_a_lie(stage: Stage) -> None:
    """Whoever says InSync for its newest generation has its rights, or had them before somebody changed them."""
    if stage.ready("new") == ("True", "InSync"):
        assert stage.elasticsearch.roles_now.get(ROLE_OF_NEW), "it says InSync and has no role"
    for name in ("goes", "key-goes"):
        found = stage.get(name)
        if found and found["metadata"].get("deletionTimestamp") and condition_in(found, "Ready"):
            ready = condition_in(found, "Ready")
            late = ready["observedGeneration"] == found["metadata"]["generation"]
            assert not (late and ready["status"] == "True"), f"{name} is deleted and says Ready"


async def history(
    broken: Break | None = None, call: tuple[str, str, type[Exception], int | None] | None = None
) -> Stage:
    stage = Stage()
    stage.faults.broke = True
    stage.start()
    await begin(stage)
    if call:
        side, method, error, times = call
        stage.faults.break_down(side, error, method, times=times)
        await happen(stage)
        never_a_lie(stage)
        stage.faults.heal(side)
    elif broken:
        with breaking(broken):
            await happen(stage)
            never_a_lie(stage)
            broken.healed = True
    else:
        await happen(stage)
    await recover(stage)
    check(stage)
    await stage.stop()
    return stage


@functools.cache
def _called() -> tuple[list[tuple[Place, int]], list[tuple[str, str, int]]]:
    """Return what a history without a fault calls, and how often: functions, and methods of ports.

    What is found out once in a process, as the fields of models, is found out before.
    """
    run_virtually(history())
    with counting(places()) as calls:
        stage = run_virtually(history())
    asked = Counter((item.side, item.method) for item in stage.faults.calls)
    functions = sorted((place, number) for place, number in calls.by_place.items())
    return functions, sorted((side, method, number) for (side, method), number in asked.items())


def test_a_history_without_a_fault_ends_as_declared() -> None:
    functions, methods = _called()
    assert len(functions) > 100, "it goes through the core"
    sides = {side for side, _, _ in methods}
    assert sides == {memory_elasticsearch.SIDE, memory_kubernetes.SIDE, memory_google.SIDE, memory_store.SIDE}
    once = Place("searchaccess.core.model.intake.validation", "_fields_of")
    assert once in places()
    assert once not in {place for place, _ in functions}, "what was called before in this process does not matter"


TIMES = st.sampled_from([1, 1, 2, 5, None])


@settings(max_examples=examples(HISTORIES))
@given(data=st.data(), error=st.sampled_from(ERRORS), times=TIMES)
def test_a_fault_in_any_function_is_over_when_it_is_over(data: Any, error: type[Exception], times: int | None) -> None:
    functions, _ = _called()
    place, number = data.draw(st.sampled_from(functions))
    after = data.draw(st.integers(0, min(number, 40)))
    run_virtually(history(Break(place, error, after, times)))


@settings(max_examples=examples(HISTORIES))
@given(data=st.data(), error=st.sampled_from(ERRORS), times=TIMES)
def test_a_fault_in_any_call_of_a_port_is_over_when_it_is_over(
    data: Any, error: type[Exception], times: int | None
) -> None:
    _, methods = _called()
    side, method, _ = data.draw(st.sampled_from(methods))
    run_virtually(history(call=(side, method, error, times)))


ALONE: Final = "poisoned"
"""Name of the one object that is broken."""
READS_ANSWERS: Final = "searchaccess.core.model.intake.reading"
"""Reads the whole answer of a port, for adapters: a fault in it is one of the call, which another test breaks."""


@settings(max_examples=examples(HISTORIES))
@given(data=st.data(), error=st.sampled_from(ERRORS), times=TIMES, keyed=st.booleans())
def test_a_fault_with_one_object_delays_nobody_else(
    data: Any, error: type[Exception], times: int | None, *, keyed: bool
) -> None:
    """Whatever function fails on it: the others are served meanwhile, and it is served when the fault is over."""
    functions, _ = _called()
    place, _ = data.draw(st.sampled_from([item for item in functions if item[0].module != READS_ANSWERS]))
    run_virtually(_with_one_broken(Break(place, error, 0, times, only=ALONE, beside="apart"), keyed=keyed))


def test_a_role_whose_owner_cannot_be_found_out_delays_nobody_else() -> None:
    place = Place("searchaccess.core.credentials.users", "is_user_name")
    run_virtually(_with_one_broken(Break(place, KeyError, 0, 5, only=ALONE, beside="apart"), keyed=False))


def test_a_status_that_cannot_be_computed_any_more_is_not_in_sync() -> None:
    """Not even the smallest one: the function reads what the last status says, which is nothing at first."""
    place = Place("searchaccess.core.status.aspects.exclusive", "_shadows")
    run_virtually(_with_one_broken(Break(place, KeyError, 0, None, only=ALONE, beside="apart"), keyed=False))


async def _with_one_broken(broken: Break, *, keyed: bool) -> None:
    stage = Stage()
    stage.faults.broke = True
    stage.start()
    await begin(stage)
    with breaking(broken):
        stage.apply(with_key(ALONE) if keyed else access(ALONE, grant("poisoned-*")))
        await stage.sleep(2)
        await happen(stage)
        await stage.sleep(2)
        if broken.raised and broken.times is None:
            assert stage.ready(ALONE) != ("True", "InSync") or broken.place.name in HARMLESS, broken
        elsewhere_all_is_well(stage, broken)
        broken.healed = True
    await recover(stage)
    assert stage.ready(ALONE) == ("True", "InSync"), (broken, stage.get(ALONE).get("status"))
    stage.delete(ALONE)
    await stage.quiet()
    check(stage)
    await stage.stop()


HARMLESS: Final = frozenset({"installation_of", "is_user_name", "note_belonging"})
"""Functions without which an object is reconciled all the same: whose other roles are is reported of the cluster, and
a role that is declared is reconciled whether or not it was found in the list of all."""


def elsewhere_all_is_well(stage: Stage, broken: Break) -> None:
    for name in ("two", "new", "late", "apart", "key-apart", "key-new", "web"):
        assert stage.ready(name) == ("True", "InSync"), (broken, name, stage.get(name).get("status"))
    for name in ("goes", "key-goes"):
        assert not stage.get(name), (broken, name)
