"""All errors of what is outside are in one tree, in one module, and the tree is drawn as it is."""

import importlib
import pkgutil
import re
from collections.abc import Iterator

import searchaccess
from searchaccess.api.conditions.reasons import Reason
from searchaccess.ports import errors
from searchaccess.ports.errors import ExternalError

_LINE = re.compile(r"(?P<indent>[ │]*)[├└]── (?P<name>\w+)")


def _drawn() -> Iterator[tuple[str, str]]:
    """Yield each class that is drawn, with the one above it."""
    above: dict[int, str] = {}
    for line in (errors.__doc__ or "").splitlines():
        if line == "ExternalError":
            above[0] = line
        elif found := _LINE.match(line):
            level = len(found["indent"]) // 4
            above[level + 1] = found["name"]
            yield found["name"], above[level]


def _defined(kind: type[ExternalError] = ExternalError) -> Iterator[type[ExternalError]]:
    for below in kind.__subclasses__():
        if below.__module__.startswith("searchaccess."):
            yield below
            yield from _defined(below)


def _import_everything() -> None:
    for module in pkgutil.walk_packages(searchaccess.__path__, "searchaccess."):
        if not module.name.endswith("__main__"):
            importlib.import_module(module.name)


def test_the_tree_is_drawn_as_it_is() -> None:
    _import_everything()
    assert sorted(_drawn()) == sorted((kind.__name__, kind.__bases__[0].__name__) for kind in _defined())


def test_every_error_is_defined_in_one_module() -> None:
    _import_everything()
    assert {kind.__module__ for kind in _defined()} == {errors.__name__}


def test_whether_a_person_must_act_is_said_by_the_reason_alone() -> None:
    kinds: list[type[ExternalError]] = [ExternalError, *_defined()]
    for kind in kinds:
        assert isinstance(kind.reason, Reason)
        assert "terminal" not in kind.__name__.lower()
        assert not any("terminal" in name.lower() for name in vars(kind))
