"""What somebody else wrote and nobody can read costs itself alone: nothing of ours waits for it, or touches it."""

import copy
from typing import Any

import pytest

from tests.component.common import MAPPING, ORDERS, ROLE, agree, begin, granted
from tests.support.loop.stage import OPERATOR, Stage, on_stage
from tests.support.worlds.world import access, account, grant
from tests.unit.adapters.anything import nested

DEEPEST = 970
"""Levels in metadata: about as many as Elasticsearch takes, and more than Python's json reads."""


@on_stage
async def test_a_deep_mapping_of_somebody_else_holds_up_no_revocation(stage: Stage) -> None:
    """R2: rights that were taken away meanwhile were never taken away."""
    await begin(stage, access("orders", grant("orders-*")), access("billing", grant("billing-*")))
    stage.elasticsearch.mappings_now["somebody-elses"] = {"enabled": True, "metadata": nested(DEEPEST)}
    stage.elasticsearch.sequence += 1
    stage.delete("billing")
    await stage.quiet()
    assert OPERATOR.role_name(account("billing")) not in stage.elasticsearch.roles_now
    assert stage.ready("orders") == ("True", "InSync")
    assert stage.cluster_ready() == ("True", "InSync")
    assert "somebody-elses" in stage.elasticsearch.mappings_now


UNREADABLE = {"deep": nested(DEEPEST), "a list": [], "a text": "x", "deep inside": {"managed_by": nested(300)}}


@pytest.mark.parametrize("metadata", UNREADABLE.values(), ids=UNREADABLE)
def test_a_role_under_our_name_that_cannot_be_read_is_a_conflict_of_that_one_alone(metadata: Any) -> None:
    @on_stage
    async def play(stage: Stage) -> None:
        theirs = {"cluster": ["all"], "metadata": metadata}
        stage.elasticsearch.roles_now[ROLE] = theirs
        await begin(stage, access("orders", grant("orders-*")), access("billing", grant("billing-*")))
        assert stage.ready("orders") == ("False", "OwnershipConflict")
        assert stage.ready("billing") == ("True", "InSync")
        assert stage.elasticsearch.roles_now[ROLE] is theirs, "it is left as it is"

    play()


@on_stage
async def test_a_role_that_cannot_be_read_can_be_adopted(stage: Stage) -> None:
    stage.elasticsearch.roles_now[ROLE] = {"cluster": ["all"], "metadata": {"junk": nested(100)}}
    await begin(stage, access("orders", grant("orders-*")))
    agree(stage, ROLE)
    await stage.quiet()
    stage.check()
    assert granted(stage) == {"orders-*"}
    assert "junk" not in stage.role(ORDERS)["metadata"]


@on_stage
async def test_a_mapping_under_our_name_that_cannot_be_read_is_a_conflict(stage: Stage) -> None:
    theirs = {"enabled": True, "roles": ["x"], "rules": {}, "metadata": nested(DEEPEST)}
    stage.elasticsearch.mappings_now[MAPPING] = theirs
    await begin(stage, access("orders", grant("orders-*")))
    assert stage.ready("orders") == ("False", "OwnershipConflict")
    assert stage.elasticsearch.mappings_now[MAPPING] is theirs


@on_stage
async def test_owners_in_a_role_that_are_no_names_of_kubernetes_read_as_absent(stage: Stage) -> None:
    await begin(stage, access("orders", grant("orders-*")))
    tampered = copy.deepcopy(stage.role(ORDERS))
    tampered["metadata"]["owners"][0] |= {"namespace": "../../kube-system", "generation": 10**30}
    stage.elasticsearch.write_role(ROLE, tampered)
    await stage.quiet()
    stage.check()
    assert stage.role(ORDERS)["metadata"]["owners"][0]["namespace"] == "shop"
