"""A role in a file of a node in force instead of ours: found by asking as the caller, reported, never touched."""

from collections import Counter
from typing import Any, Final

import pytest

from searchaccess.core.rights.foreign.shadows import CLEAN
from searchaccess.engine.rights.background.shadows import AGAIN, BATCH, EVERY, TICK, TRIES
from searchaccess.ports.errors import Unreachable
from tests.component.common import ROLE
from tests.component.gateway.common import begin
from tests.support.loop.stage import CLUSTER_KEY, OPERATOR, Stage, on_stage, search_cluster
from tests.support.memory.elasticsearch import AUDIENCE, REALM, SIDE
from tests.support.worlds.world import access, account, condition_in, grant

MINE: Final = access("orders", grant("orders-*"))
BILLS: Final = access("bills", grant("bills-*"))
BROAD: Final[dict[str, Any]] = {"indices": [{"names": ["bills-*", "orders-*"], "privileges": ["read"]}]}
OTHER: Final[dict[str, Any]] = {"indices": [{"names": ["logs-*"], "privileges": ["read"]}]}
FIRST_ROUND: Final = 60.0
"""Seconds in which a few new principals are looked at, and looked at again."""


async def _begin(stage: Stage, *objects: dict[str, Any]) -> None:
    await begin(stage, "pod-a")
    stage.apply(*objects)
    await stage.quiet()


def _reported(stage: Stage, name: str = "orders") -> tuple[str, str, str]:
    found = condition_in(stage.get(name), "Exclusive")
    return found.get("status", ""), found.get("reason", ""), found.get("message", "")


def _asked(stage: Stage, before: int = 0) -> Counter[str]:
    return Counter(
        name for call in stage.faults.calls[before:] if call.method == "privileges_as" for name in call.names
    )


def _roles_in_elasticsearch(stage: Stage) -> str:
    return repr((stage.elasticsearch.roles_now, stage.elasticsearch.users_now))


@on_stage
async def test_a_role_in_a_file_is_reported_with_what_it_adds_and_lacks_and_nothing_is_touched(stage: Stage) -> None:
    await _begin(stage, MINE, BILLS)
    await stage.sleep(FIRST_ROUND)
    assert _reported(stage) == ("", "", "")
    before = _roles_in_elasticsearch(stage)
    stage.elasticsearch.file_roles[ROLE] = OTHER
    await stage.sleep(EVERY + FIRST_ROUND)
    status, reason, message = _reported(stage)
    assert (status, reason) == ("False", "Shadowed")
    assert message == (
        f"role {ROLE} in a file of a node is in force instead of the one in Elasticsearch: it adds read on logs-*; it "
        "lacks read on orders-*. Look for it in roles.yml on each node"
    )
    assert stage.get("orders")["status"]["exclusive"]["sources"] == [
        {"reason": "Shadowed", "kind": "FileRole", "name": ROLE, "role": ROLE, "message": message}
    ]
    assert _reported(stage, "bills") == ("", "", "")
    assert stage.ready("orders") == ("True", "InSync"), "it is a warning"
    assert stage.notes("orders").count("Shadowed") == 1
    await stage.sleep(EVERY)
    assert stage.notes("orders").count("Shadowed") == 1, "the event is emitted once"
    assert _roles_in_elasticsearch(stage) == before


@on_stage
async def test_one_node_of_three_with_the_file_is_enough_and_it_ends_after_a_full_round_without(stage: Stage) -> None:
    stage.elasticsearch.node_has_file = lambda look: look % 3 == 0
    stage.elasticsearch.file_roles[ROLE] = BROAD
    await _begin(stage, MINE)
    for _ in range(6):
        await stage.sleep(EVERY)
    assert _reported(stage)[:2] == ("False", "Shadowed")
    for _ in range(5):
        await stage.sleep(EVERY)
        assert _reported(stage)[:2] == ("False", "Shadowed"), "looks that reach other nodes do not end it"
    assert stage.notes("orders").count("Shadowed") == 1
    stage.elasticsearch.file_roles.clear()
    await stage.sleep(AGAIN * (CLEAN - 4))
    assert _reported(stage)[:2] == ("False", "Shadowed")
    await stage.sleep(AGAIN * 6)
    assert _reported(stage) == ("", "", "")


@on_stage
async def test_a_role_is_looked_at_soon_after_it_was_written(stage: Stage) -> None:
    await _begin(stage, MINE)
    await stage.sleep(2 * FIRST_ROUND)
    stage.elasticsearch.file_roles[ROLE] = BROAD
    stage.amend("orders", grants=[grant("orders-2*")])
    await stage.sleep(AGAIN + 3 * TICK)
    assert "it adds read on bills-*, orders-*" in _reported(stage)[2]


@on_stage
async def test_what_is_known_survives_a_restart_until_elasticsearch_is_asked_again(stage: Stage) -> None:
    stage.elasticsearch.file_roles[ROLE] = BROAD
    await _begin(stage, MINE)
    await stage.sleep(FIRST_ROUND)
    assert _reported(stage)[:2] == ("False", "Shadowed")
    said = _reported(stage)
    stage.elasticsearch.run_as_works = False
    await stage.restart()
    await stage.sleep(2 * EVERY)
    assert _reported(stage) == said, "where nothing can be asked, what is known stays"
    stage.elasticsearch.run_as_works = True
    stage.elasticsearch.file_roles.clear()
    await stage.restart()
    await stage.sleep(AGAIN * (CLEAN - 4))
    assert _reported(stage) == said
    await stage.sleep(EVERY)
    assert _reported(stage) == ("", "", "")
    assert stage.notes("orders").count("Shadowed") == 1


@on_stage
async def test_a_node_that_ignores_run_as_is_no_shadow(stage: Stage) -> None:
    await _begin(stage, MINE)
    await stage.sleep(FIRST_ROUND)
    # The last test of the login was fine; now its requests are answered about itself.
    stage.elasticsearch.run_as_works = False
    stage.amend("orders", grants=[grant("orders-2*")])
    before = len(stage.faults.calls)
    await stage.sleep(AGAIN + 3 * TICK)
    assert _asked(stage, before)[ROLE] >= 1
    assert _reported(stage) == ("", "", "")


@on_stage
async def test_roles_of_the_anonymous_user_and_other_roles_of_a_user_are_no_shadows(stage: Stage) -> None:
    stage.elasticsearch.write_role("everybody", OTHER)
    stage.elasticsearch.anonymous_roles = ["everybody"]
    await _begin(stage, MINE, BILLS)
    await stage.sleep(EVERY + FIRST_ROUND)
    assert _reported(stage) == ("", "", "")
    assert _asked(stage)[ROLE] >= 2
    assert _asked(stage)[""] >= 1, "what everybody has is asked by what the login has"
    stage.elasticsearch.anonymous_roles = []
    stage.elasticsearch.write_role("ops", BROAD)
    stage.kubernetes.change(CLUSTER_KEY, lambda raw: raw["spec"].update(mode="Observe"))
    await stage.quiet()
    stage.elasticsearch.users_now[ROLE]["roles"] = [ROLE, "ops"]
    await stage.sleep(EVERY + FIRST_ROUND)
    assert _reported(stage) == ("", "", ""), "that is drift of the user"


@on_stage
async def test_the_same_rights_in_a_file_are_no_shadow(stage: Stage) -> None:
    await _begin(stage, MINE)
    [entry] = stage.role(account("orders"))["indices"]
    upper = {"names": ["orders-*"], "privileges": [name.upper() for name in entry["privileges"]]}
    stage.elasticsearch.file_roles[ROLE] = {"indices": [upper, {"names": ["orders-1"], "privileges": ["read"]}]}
    await stage.sleep(EVERY + FIRST_ROUND)
    assert _asked(stage)[ROLE] >= 2
    assert _asked(stage)[""] == 0, "rights that mean the same need no second look"
    assert _reported(stage) == ("", "", "")


@on_stage
async def test_looks_are_bounded_however_many_principals_there_are(stage: Stage) -> None:
    names = [f"orders-{number}" for number in range(3 * BATCH)]
    await _begin(stage, *(access(name, grant(f"{name}-*")) for name in names))
    await stage.sleep(10 * TICK)
    asked = _asked(stage)
    assert asked == Counter(OPERATOR.role_name(account(name)) for name in names), "each once"
    before = len(stage.faults.calls)
    await stage.sleep(EVERY - 12 * TICK)
    assert _asked(stage, before) == {}, "and not again before its time"
    await stage.sleep(12 * TICK)
    assert _asked(stage, before) == asked
    roles = [call.names for call in stage.faults.calls[before:] if call.method == "roles" and len(call.names) > 1]
    assert sorted(len(read) for read in roles) == [BATCH] * 3, "roles are read together"


@on_stage
async def test_a_shadow_costs_a_few_requests_once_and_then_one_a_minute(stage: Stage) -> None:
    await _begin(stage, MINE)
    await stage.sleep(FIRST_ROUND)
    stage.elasticsearch.file_roles[ROLE] = BROAD
    before = len(stage.faults.calls)
    await stage.sleep(EVERY)
    found = _asked(stage, before)
    assert found[""] <= EVERY / AGAIN, "what everybody has, with each look that differs"
    assert 2 <= found[ROLE] <= EVERY / AGAIN + TRIES


@on_stage
async def test_nobody_is_asked_about_without_a_gateway(stage: Stage) -> None:
    stage.runs_gateways = True
    await stage.restart()
    stage.apply(search_cluster(), MINE)
    await stage.quiet()
    await stage.sleep(2 * EVERY)
    assert _asked(stage) == {}


@on_stage
async def test_a_gateway_that_is_given_up_leaves_no_report(stage: Stage) -> None:
    stage.elasticsearch.file_roles[ROLE] = BROAD
    await _begin(stage, MINE)
    await stage.sleep(FIRST_ROUND)
    assert _reported(stage)[:2] == ("False", "Shadowed")
    realm = {"jwtRealm": {"name": REALM, "audience": AUDIENCE}}
    stage.kubernetes.change(CLUSTER_KEY, lambda raw: raw["spec"].update(identity=realm))
    await stage.sleep(FIRST_ROUND)
    before = len(stage.faults.calls)
    await stage.sleep(EVERY)
    assert _asked(stage, before) == {}
    assert _reported(stage) == ("", "", ""), "it cannot be asked any more"


@on_stage
async def test_a_role_that_the_license_does_not_include_is_not_judged(stage: Stage) -> None:
    await _begin(stage, MINE)
    await stage.sleep(FIRST_ROUND)
    stage.elasticsearch.roles_now[ROLE]["transient_metadata"] = {"enabled": False}
    stage.elasticsearch.file_roles[ROLE] = BROAD
    before = len(stage.faults.calls)
    await stage.sleep(EVERY + FIRST_ROUND)
    assert _reported(stage) == ("", "", "")
    assert _asked(stage, before)[ROLE] == 0


@pytest.mark.parametrize("kind", ["external", "internal"])
def test_an_error_delays_it_and_affects_nothing_else(kind: str) -> None:
    @on_stage
    async def play(stage: Stage) -> None:
        await _begin(stage, MINE)
        await stage.sleep(FIRST_ROUND)
        stage.elasticsearch.file_roles[ROLE] = BROAD

        if kind == "internal":
            stage.faults.break_down(SIDE, TypeError, "privileges_as")
        else:
            stage.faults.fail(SIDE, Unreachable("gone"), "privileges_as")
        await stage.sleep(EVERY + FIRST_ROUND)
        assert _reported(stage) == ("", "", "")
        assert stage.ready("orders") == ("True", "InSync")
        stage.faults.heal(SIDE)
        await stage.sleep(3 * AGAIN)
        assert _reported(stage)[:2] == ("False", "Shadowed")

    play()


@on_stage
async def test_a_dry_run_asks_nobody(stage: Stage) -> None:
    await _begin(stage, MINE)
    await stage.stop()
    before = len(stage.faults.calls)
    await stage.dry_run()
    assert _asked(stage, before) == {}
