"""All that a status or an event can say is on the reference page, and in the descriptions of the kinds."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from searchaccess.api.conditions.docs import REASON_DOCS, doc_of
from searchaccess.api.conditions.events import EVENT_DOCS, EventReason
from searchaccess.api.conditions.reasons import Reason
from searchaccess.api.conditions.types import CONDITION_DOCS, ConditionType, types_of
from searchaccess.api.crd import custom_resource_definitions
from searchaccess.cli.generate import WITHOUT_EVENT, reasons_page

SOURCE = Path(__file__).parents[3] / "operator" / "src" / "searchaccess"
EVENTS = SOURCE / "core" / "status" / "events.py"
KINDS = ("SearchAccess", "SearchCluster")


def modules() -> Iterator[tuple[Path, ast.Module]]:
    for path in SOURCE.rglob("*.py"):
        yield path, ast.parse(path.read_text(encoding="utf-8"))


def used(enum: str, tree: ast.Module) -> set[str]:
    """Return the members of an enum that a module names."""
    return {
        node.attr
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == enum
    }


def section(title: str) -> str:
    return next(part for part in reasons_page().split("\n## ") if part.startswith(title))


def test_each_table_is_complete() -> None:
    assert set(EVENT_DOCS) == set(EventReason)
    assert set(REASON_DOCS) == set(Reason)
    assert set(CONDITION_DOCS) == set(ConditionType)


def test_events_are_made_in_one_place_alone_which_asks_the_table() -> None:
    makers = set()
    for path, tree in modules():
        imports = {
            alias.asname or alias.name
            for node in ast.walk(tree)
            if isinstance(node, ast.ImportFrom) and node.module == "searchaccess.core.status.events"
            for alias in node.names
        }
        calls = {
            node.func.id for node in ast.walk(tree) if isinstance(node, ast.Call) and isinstance(node.func, ast.Name)
        }
        if "Note" in calls and ("Note" in imports or path == EVENTS):
            makers.add(path)
    assert makers == {EVENTS}


def test_each_documented_event_is_written_somewhere() -> None:
    emitted = {name for path, tree in modules() if "status" in path.parts for name in used("EventReason", tree)}
    assert emitted == {reason.name for reason in EventReason}


@pytest.mark.parametrize(
    ("title", "names"),
    [
        ("Condition types", list(ConditionType)),
        ("Reasons", list(Reason)),
        (
            "Events",
            [*EventReason, *(reason for reason in Reason if doc_of(reason).terminal and reason not in WITHOUT_EVENT)],
        ),
    ],
)
def test_the_page_has_them_all(title: str, names: list[str]) -> None:
    assert set(names) <= set(re.findall(r"`(\w+)`", section(title)))


@pytest.mark.parametrize("kind", KINDS)
def test_the_description_of_a_kinds_conditions_names_all_its_types(kind: str) -> None:
    [crd] = [crd for crd in custom_resource_definitions().values() if crd["spec"]["names"]["kind"] == kind]
    schema = crd["spec"]["versions"][0]["schema"]["openAPIV3Schema"]
    described = schema["properties"]["status"]["properties"]["conditions"]["description"]
    assert set(re.findall(r"`(\w+)`", described)) == set(types_of(kind))


@pytest.mark.parametrize(
    ("module", "kind"),
    [("cluster", KINDS[1]), *((name, KINDS[0]) for name in ("access", "aspects/identity", "credential"))],
)
def test_a_kind_sets_no_condition_that_is_documented_for_the_other_alone(module: str, kind: str) -> None:
    tree = ast.parse((EVENTS.parent / f"{module}.py").read_text(encoding="utf-8"))
    named = {ConditionType[name] for name in used("ConditionType", tree)}
    assert named
    assert named <= set(types_of(kind))


def test_each_condition_type_is_of_some_kind() -> None:
    assert {name for kind in KINDS for name in types_of(kind)} == set(ConditionType)
