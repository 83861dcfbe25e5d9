"""Lets any method of the engine raise an unexpected error, as a fault of ours in it would: once, n times, or forever.

``breaking`` does the same for pure functions of the core. Here methods that write can also fail late: all they do is
done, and whoever called them gets an error.
"""

import functools
import inspect
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any


@dataclass(slots=True)
class MethodBreak:
    """Which method breaks, and when.

    Args:
        owner: the class that has the method.
        name: of the method, which may be a coroutine but no generator.
        after: calls that go well before that.
        times: how often it raises; None: while the context lasts.
        late: raise once the method has done its work, not before.
    """

    owner: type[object]
    name: str
    after: int = 0
    times: int | None = 1
    late: bool = False
    calls: int = 0
    raised: int = 0

    def meet(self) -> None:
        """Count a call, and raise if it is one that is to break.

        Raises:
            KeyError: it is; nothing in the product expects it there.
        """
        self.calls += 1
        if self.calls > self.after and (self.times is None or self.raised < self.times):
            self.raised += 1
            raise KeyError("broken")


@contextmanager
def breaking_method(broken: MethodBreak) -> Iterator[MethodBreak]:
    """Let a method break while the context lasts; yield what counts its calls."""
    original = vars(broken.owner)[broken.name]
    assert inspect.isfunction(original)
    assert not inspect.isgeneratorfunction(original)
    assert not inspect.isasyncgenfunction(original)

    @functools.wraps(original)
    def instead(*arguments: Any, **named: Any) -> Any:
        if not broken.late:
            broken.meet()
        result = original(*arguments, **named)
        if broken.late:
            broken.meet()
        return result

    @functools.wraps(original)
    async def instead_later(*arguments: Any, **named: Any) -> Any:
        if not broken.late:
            broken.meet()
        result = await original(*arguments, **named)
        if broken.late:
            broken.meet()
        return result

    setattr(broken.owner, broken.name, instead_later if inspect.iscoroutinefunction(original) else instead)
    try:
        yield broken
    finally:
        setattr(broken.owner, broken.name, original)
