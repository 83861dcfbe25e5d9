"""What goes wrong between the operator and the outside, and a record of everything that was asked."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import Enum, auto
from typing import TypeVar

from searchaccess.ports.errors import Unreachable

T = TypeVar("T")


class Crash(BaseException):
    """The process died in the middle of something. Nothing in the product may catch it."""


class Fault(Enum):
    """What happens at a write."""

    CRASH_BEFORE = auto()
    CRASH_AFTER = auto()
    LOSE_REPLY = auto()
    """It is done, and the caller hears that the server cannot be reached."""


@dataclass(frozen=True, slots=True)
class Call:
    """Something that was asked of the outside."""

    side: str
    method: str
    names: tuple[str, ...] = ()
    write: bool = False


@dataclass(slots=True)
class Faults:
    """Shared by all doubles of a stage, so that writes of both sides are counted together."""

    calls: list[Call] = field(default_factory=list)
    writes: list[Call] = field(default_factory=list)
    """Those of them that wrote."""
    dead: bool = False
    """The process crashed: whatever its remaining tasks try reaches nobody."""
    on_call: Callable[[Call], None] = lambda _call: None
    """Called with everything that was done, before the answer is given."""
    _planned: dict[int, Fault] = field(default_factory=dict)
    _standing: dict[tuple[str, str], Exception] = field(default_factory=dict)

    broke: bool = False
    """Unexpected errors were injected, so that some in the log are no surprise."""
    _broken: tuple[str, frozenset[str], type[Exception], int | None] | None = None

    def at_write(self, number: int, fault: Fault) -> None:
        """Let something happen at the n-th write from now on; 0 is the next one."""
        self._planned[len(self.writes) + number] = fault

    def fail(self, side: str, error: Exception, *methods: str) -> None:
        """Answer methods of a side (none named: all of them) with an error until it is healed."""
        for method in methods or ("*",):
            self._standing[side, method] = error

    def break_down(self, side: str, error: type[Exception], *methods: str, times: int | None = None) -> None:
        """Let methods of a side (none named: all) raise an unexpected error, as a fault of ours would.

        Args:
            side: of the doubles.
            error: what it raises; nothing in the product expects it there.
            methods: which; none: all.
            times: how often in all; None: until it is healed.
        """
        self.broke = True
        self._broken = (side, frozenset(methods), error, times)

    def _break(self, call: Call) -> None:
        if self._broken is None:
            return
        side, methods, error, times = self._broken
        if call.side != side or (methods and call.method not in methods):
            return
        if times is not None:
            self._broken = (side, methods, error, times - 1) if times > 1 else None
        self.calls.append(Call(call.side, call.method, call.names))
        raise error("broken")

    def fails(self, side: str, method: str) -> bool:
        """Say whether a method of a side answers with an error."""
        return (side, method) in self._standing or (side, "*") in self._standing

    def heal(self, side: str) -> None:
        """Let a side work again."""
        if self._broken and self._broken[0] == side:
            self._broken = None
        self._standing = {key: error for key, error in self._standing.items() if key[0] != side}

    def restart(self) -> None:
        """Let a new process begin; faults that were still to come are off."""
        self.dead = False
        self._planned.clear()

    async def perform(self, call: Call, action: Callable[[], T]) -> T:
        """Do what was asked, or let it go wrong as planned."""
        await asyncio.sleep(0)  # As with a real server, others run meanwhile.
        if self.dead:
            raise Crash
        self._break(call)
        standing = self._standing.get((call.side, call.method)) or self._standing.get((call.side, "*"))
        if standing is not None:
            self.calls.append(Call(call.side, call.method, call.names))
            raise type(standing)(*standing.args)
        fault = self._planned.pop(len(self.writes), None) if call.write else None
        if fault is Fault.CRASH_BEFORE:
            self.dead = True
            raise Crash
        self.calls.append(call)
        if call.write:
            self.writes.append(call)
        result = action()
        self.on_call(call)
        if fault is Fault.CRASH_AFTER:
            self.dead = True
            raise Crash
        if fault is Fault.LOSE_REPLY:
            raise Unreachable("the reply was lost")
        return result
