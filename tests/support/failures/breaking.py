"""Lets any pure function of the core raise an unexpected error, as a fault of ours would: once, n times, or forever.

A place is a module-level function of ``searchaccess.core``. It is replaced wherever it was imported, whoever calls it.
"""

import functools
import importlib
import inspect
import pkgutil
import sys
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from types import ModuleType
from typing import Any, Final

import searchaccess.core
from searchaccess.core.patterns import meeting

ERRORS: Final = (KeyError, ValueError, RecursionError, AttributeError, ZeroDivisionError)
"""Kinds of errors that faults of ours have shown."""
_REMEMBERED: Final = (meeting._met, meeting._lists)
"""What functions remember beside their caches."""


@dataclass(frozen=True, slots=True, order=True)
class Place:
    """One function."""

    module: str
    name: str

    def __str__(self) -> str:
        return f"{self.module.removeprefix('searchaccess.core.')}.{self.name}"


def places() -> list[Place]:
    """Return all module-level functions of the core, in one order."""
    found = []
    for module in pkgutil.walk_packages(searchaccess.core.__path__, "searchaccess.core."):
        loaded = importlib.import_module(module.name)
        for name, item in vars(loaded).items():
            if inspect.isfunction(item) and item.__module__ == module.name:
                found.append(Place(module.name, name))
    return sorted(found)


@dataclass(slots=True)
class Break:
    """What breaks.

    Args:
        place: which function.
        error: what it raises.
        after: calls that go well before that.
        times: how often it raises; None: until it is healed.
        only: raise only where this text is in the arguments; empty: whatever they are.
        beside: not where this text is in them too: the call is about several objects.
    """

    place: Place
    error: type[Exception]
    after: int = 0
    times: int | None = None
    only: str = ""
    beside: str = ""
    calls: int = 0
    raised: int = 0
    healed: bool = False

    def meet(self, arguments: Any) -> None:
        """Count a call, and raise if it is one that is to break."""
        if self.healed or (self.only and not self._is_alone(repr(arguments))):
            return
        self.calls += 1
        if self.calls > self.after and (self.times is None or self.raised < self.times):
            self.raised += 1
            raise self.error("broken")

    def _is_alone(self, text: str) -> bool:
        return self.only in text and not (self.beside and self.beside in text)


@dataclass(slots=True)
class Calls:
    """Which functions were called, and how often."""

    by_place: Counter[Place] = field(default_factory=Counter)


def _holders() -> dict[Callable[..., Any], list[tuple[ModuleType, str]]]:
    """Return the modules that have a function, each with its name there, of all functions."""
    found: dict[Callable[..., Any], list[tuple[ModuleType, str]]] = {}
    for module in list(sys.modules.values()):
        if getattr(module, "__name__", "").startswith("searchaccess."):
            for name, item in vars(module).items():
                if inspect.isfunction(item):
                    found.setdefault(item, []).append((module, name))
    return found


@contextmanager
def _replaced(
    place: Place, meet: Callable[[Any], None], holders: Mapping[Callable[..., Any], list[tuple[ModuleType, str]]]
) -> Iterator[None]:
    original = getattr(sys.modules[place.module], place.name)

    if inspect.isgeneratorfunction(original) or inspect.iscoroutinefunction(original):
        yield
        return

    @functools.wraps(original)
    def instead(*arguments: Any, **named: Any) -> Any:
        meet((arguments, named))
        return original(*arguments, **named)

    for module, name in holders[original]:
        setattr(module, name, instead)
    try:
        yield
    finally:
        for module, name in holders[original]:
            setattr(module, name, original)


@contextmanager
def breaking(broken: Break) -> Iterator[None]:
    """Let a function break while the context lasts."""
    with _replaced(broken.place, broken.meet, _holders()):
        yield


@contextmanager
def counting(some: list[Place]) -> Iterator[Calls]:
    """Count calls of functions while the context lasts."""
    calls, holders = Calls(), _holders()
    _forget_results()
    # Not one within the other: there are more functions than a stack has room for.
    with ExitStack() as stack:
        for place in some:
            stack.enter_context(_replaced(place, _counter(calls, place), holders))
        yield calls


def _forget_results() -> None:
    """Empty all caches: which functions are called does not depend on the tests before."""
    for module in list(sys.modules.values()):
        if getattr(module, "__name__", "").startswith("searchaccess."):
            for item in vars(module).values():
                if callable(forget := getattr(item, "cache_clear", None)):
                    forget()
    for remembered in _REMEMBERED:
        remembered.clear()


def _counter(calls: Calls, place: Place) -> Callable[[Any], None]:
    def count(_: Any) -> None:
        calls.by_place[place] += 1

    return count
