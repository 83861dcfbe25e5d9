"""Keys with our metadata that somebody else wrote: what they name never becomes a part of a request."""

import copy
from typing import Any

import pytest

from searchaccess.ports.stores import Found, Place
from tests.component.credentials.common import READY, begin, change_is_noticed, live, store, with_key
from tests.support.loop.stage import Stage, on_stage
from tests.unit.adapters.anything import nested

FORGED: list[dict[str, Any]] = [
    {"owner": {"namespace": "../../api/v1/namespaces/kube-system", "name": "orders", "uid": "uid-x"}},
    {"owner": {"namespace": "shop", "name": "../x", "uid": "uid-x"}},
    {"owner": {"namespace": "shop", "name": "orders", "uid": "../x"}},
    {"owner": nested(970)},
    {"version": "x", "sequence": 10**30, "secret": ["s"]},
    {"store": "main", "name": "../../../secrets/other"},
    {"requested": nested(50)},
]


@pytest.mark.parametrize("metadata", FORGED, ids=range(len(FORGED)))
def test_a_forged_key_leads_nowhere_else(metadata: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    @on_stage
    async def play(stage: Stage) -> None:
        await begin(stage, with_key())
        [ours] = live(stage)
        forged = copy.deepcopy(ours) | {"id": "forged", "username": "mallory"}
        forged["metadata"] = forged["metadata"] | metadata
        stage.elasticsearch.keys_now["forged"] = forged
        places: list[Place] = []
        find = store(stage).find

        async def noted_find(place: Place) -> Found | None:
            places.append(place)
            return await find(place)

        monkeypatch.setattr(store(stage), "find", noted_find)
        await change_is_noticed(stage)
        await stage.reconcile_all()
        assert stage.ready("orders") == READY
        assert ours in live(stage)
        assert {place.namespace for place in places} <= {"shop"}
        assert not any(set("./") & set(place.name) for place in places)

    play()
