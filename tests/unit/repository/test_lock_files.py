"""The lock files are what `make lock` would make of pyproject.toml, as far as can be said without a network."""

import re
import tomllib
from collections.abc import Iterator
from typing import Any

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tests.support.operatorprocess import ROOT

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
CLIENT = tomllib.loads((ROOT / "client" / "pyproject.toml").read_text())["project"]
PIN = re.compile(r"^(?P<name>[a-z0-9.-]+)==(?P<version>[^\s;\\]+)(?P<rest>[^\n]*\n(?:[ ].*\n)*)", re.MULTILINE)


def lock(name: str) -> str:
    return (ROOT / "requirements" / name).read_text()


def group(name: str) -> Iterator[str]:
    items: list[Any] = PROJECT["dependency-groups"][name]
    for item in items:
        if isinstance(item, dict):
            yield from group(item["include-group"])
        else:
            yield item


RUNTIME: list[str] = PROJECT["project"]["dependencies"]
WANTED = [
    *(("runtime.txt", text) for text in RUNTIME),
    *(("dev.txt", text) for text in [*RUNTIME, *group("dev")]),
    *(("dev.txt", text) for text in [*CLIENT["dependencies"], *CLIENT["optional-dependencies"]["async"]]),
]


@pytest.mark.parametrize(("file", "text"), WANTED)
def test_what_the_project_needs_is_pinned_to_a_version_that_it_accepts(file: str, text: str) -> None:
    wanted = Requirement(text)
    pinned = [pin["version"] for pin in PIN.finditer(lock(file)) if pin["name"] == canonicalize_name(wanted.name)]
    assert pinned, f"{file} lacks {wanted.name}: run `make lock`"
    assert all(wanted.specifier.contains(version) for version in pinned), f"{pinned} is not {text}: run `make lock`"


@pytest.mark.parametrize("file", ["runtime.txt", "dev.txt"])
def test_every_pin_has_hashes_and_nothing_names_a_machine_or_registry(file: str) -> None:
    text = lock(file)
    pins = list(PIN.finditer(text))
    assert pins
    assert [pin["name"] for pin in pins if "--hash=sha256:" not in pin["rest"]] == []
    assert not re.search(r"://|^-|--index|--find-links", text, re.MULTILINE)


def test_tests_run_with_what_is_shipped() -> None:
    shipped = {pin["name"]: pin["version"] for pin in PIN.finditer(lock("runtime.txt"))}
    tested = {pin["name"]: pin["version"] for pin in PIN.finditer(lock("dev.txt"))}
    assert shipped.items() <= tested.items()
