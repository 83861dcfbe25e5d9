"""Garbage is collected when there is nothing else to do, and what lives is left alone."""

import asyncio
import gc
from collections.abc import Iterator

import pytest

from searchaccess.operator import garbage
from searchaccess.operator.garbage import TRIES, collect_when_quiet, freeze_live_objects


@pytest.fixture
def thresholds() -> Iterator[None]:
    before = gc.get_threshold()
    yield
    gc.set_threshold(*before)
    gc.unfreeze()


@pytest.mark.usefixtures("thresholds")
def test_what_lives_is_left_out_of_collections_and_none_is_full_by_itself() -> None:
    gc.unfreeze()
    young, middle, _ = gc.get_threshold()
    freeze_live_objects()
    assert gc.get_freeze_count() > 0
    assert gc.get_threshold()[:2] == (young, middle)
    assert gc.get_threshold()[2] >= 100_000


@pytest.mark.parametrize(("busy", "collected"), [([], 3), ([True] * 50, 2), ([True] * 10 * TRIES, 1)])
def test_garbage_is_collected_between_work_or_when_it_is_due_in_any_case(
    monkeypatch: pytest.MonkeyPatch, busy: list[bool], collected: int
) -> None:
    now, collections = 0.0, 0
    end = 3 * garbage.EVERY if len(busy) < TRIES else TRIES * garbage.RETRY + garbage.EVERY

    async def sleep(seconds: float) -> None:
        nonlocal now
        now += seconds
        if now > end:
            raise asyncio.CancelledError

    def collect() -> None:
        nonlocal collections
        collections += 1

    monkeypatch.setattr(asyncio, "sleep", sleep)
    monkeypatch.setattr(gc, "collect", collect)
    with pytest.raises(asyncio.CancelledError):
        asyncio.run(collect_when_quiet(lambda: bool(busy) and busy.pop()))
    assert collections == collected
