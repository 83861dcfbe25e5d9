"""Known secret values in a run, and a search for them in everything that could show them."""

import base64
import gc
import json
import sys
from collections.abc import Iterator, Sequence

import pytest

from searchaccess.core.credentials.sealed import Sealed
from searchaccess.ports.errors import Rejected, Unreachable
from tests.component.credentials.common import HOUR, PLACE, begin, store, with_key
from tests.support.leaks import leaks
from tests.support.loop.stage import Stage, access_key, on_stage
from tests.support.memory import elasticsearch as memory_elasticsearch
from tests.support.memory import store as memory_store
from tests.support.memory.store import MemoryStore


@pytest.fixture(autouse=True)
def _in_sight() -> Iterator[None]:
    """All that lives is found again and can be shown, without the garbage of other tests, which can be most of it."""
    gc.unfreeze()
    gc.collect()
    most = sys.get_int_max_str_digits()
    sys.set_int_max_str_digits(0)  # Sets of places among many wildcards are kept as integers of any length.
    yield
    sys.set_int_max_str_digits(most)
    gc.unfreeze()
    gc.freeze()


def objects() -> list[object]:
    """Return every object of ours in memory, except those that are frozen."""
    found = gc.get_objects()
    # There are millions of objects, of some thousand types.
    ours = {kind for kind in set(map(type, found)) if str(kind.__module__).startswith("searchaccess.")}
    return [thing for thing in found if type(thing) in ours]


def reprs(frozen: Sequence[object] = ()) -> str:
    """Return what every object of ours in memory would show of itself.

    Args:
        frozen: those that ``gc.freeze`` keeps from being found.
    """
    ours = [*frozen, *objects()]
    assert len(ours) > 100, "there are some"
    return "\n".join({repr(thing) for thing in ours})  # Many show the same.


@pytest.mark.parametrize("auth", ["ApiKey", "Password"])
@pytest.mark.parametrize("form", ["Json", "Encoded"])
def test_no_secret_value_is_in_anything_that_shows(auth: str, form: str) -> None:
    # What other tests left behind is searched at the beginning and in the end, not each time.
    before = objects()
    gc.freeze()

    @on_stage
    async def play(stage: Stage) -> None:
        stage.stores.by_name["main"] = MemoryStore(stage.faults)
        await begin(stage, with_key(auth=auth, credential={"format": form, "overlap": "20m"}))
        texts = {"made": reprs(before)}
        for number, (side, method) in enumerate(
            [
                (memory_store.SIDE, "add"),
                (memory_store.SIDE, "find"),
                (memory_elasticsearch.SIDE, "note_key"),
                (memory_elasticsearch.SIDE, "note_user"),
                (memory_elasticsearch.SIDE, "replace_roles"),
            ]
        ):
            for error in (Unreachable("away"), Rejected("no")):
                stage.faults.fail(side, error, method)
                stage.annotate(access_key("orders"), "searchaccess.dev/rotate-requested-at", f"{number} {error}")
                await stage.sleep(60)
                texts[f"{method} {error}"] = reprs()
                stage.faults.heal(side)
                await stage.sleep(HOUR)
        texts |= {
            "statuses": json.dumps([stage.get("orders"), stage.cluster()]),
            "events": str(stage.kubernetes.events),
            "logs": str(stage.logs),
            "in the end": reprs(before),
        }
        values = [value for value in store(stage).kept[PLACE].values.values() if value]
        assert len(values) > 2
        parts = {"secret-of-key", "password-of-searchaccess", *values}
        for value in values:
            document = json.loads(value) if form == "Json" else {"encoded": value}
            parts |= {document["encoded"], base64.b64decode(document["encoded"]).decode().partition(":")[2]}
        assert leaks(texts, parts) == []

    play()


def test_the_search_finds_what_is_not_sealed() -> None:
    class Careless(Sealed):
        __module__ = "searchaccess.careless"

        def __repr__(self) -> str:
            return self.reveal()

    careless = Careless("a-canary-that-sings")
    assert leaks({"memory": reprs()}, [careless.reveal()]) != []
