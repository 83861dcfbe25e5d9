"""Finds reasons, condition types, events and commands without documentation, for ``make generate`` to report."""

from collections.abc import Callable, Container, Iterable
from importlib import import_module
from typing import Final

from searchaccess.api.conditions.docs import REASON_DOCS
from searchaccess.api.conditions.events import EVENT_DOCS, EventReason
from searchaccess.api.conditions.reasons import Reason
from searchaccess.api.conditions.types import CONDITION_DOCS, ConditionType
from searchaccess.cli.commands.table import TABLE, Entry

Part = tuple[str, Iterable[str], Container[str], str]

PARTS: Final[tuple[Part, ...]] = (
    ("reason", Reason, REASON_DOCS, "REASON_DOCS in api/conditions/docs.py"),
    ("condition type", ConditionType, CONDITION_DOCS, "CONDITION_DOCS in api/conditions/types.py"),
    ("event", EventReason, EVENT_DOCS, "EVENT_DOCS in api/conditions/events.py"),
)
"""Name of each kind, its members, their documentation, and where that is."""


def missing_parts(parts: Iterable[Part] = PARTS) -> list[str]:
    """Return one line for each missing entry; empty: nothing is missing."""
    return [
        f"the {kind} {name} has no entry in {where}: add its meaning and the next step"
        for kind, names, documented, where in parts
        for name in names
        if name not in documented
    ]


_COMMANDS: Final = "searchaccess.cli.commands"


def missing_commands(
    entries: Iterable[Entry] = tuple(TABLE.values()), load: Callable[[str], object] = import_module
) -> list[str]:
    """Return one line for each part that a command lacks; empty: nothing is missing.

    Args:
        entries: the commands.
        load: imports a module by its name.
    """
    return [text for entry in entries if (text := _missing_of(entry, load))]


def _missing_of(entry: Entry, load: Callable[[str], object]) -> str:
    where, name = f"cli/commands/{entry.module}.py", f"{_COMMANDS}.{entry.module}"
    try:
        module = load(name)
    except ModuleNotFoundError as error:
        if error.name != name:
            raise
        return f"the command {entry.name} of cli/commands/table.py has no module {where}"
    if hasattr(module, "app"):
        return ""
    if not hasattr(module, "command"):
        return f"the command {entry.name} has no function `command` (or a group `app`) in {where}"
    shown = str(getattr(module, "EPILOG", ""))
    lacking = [part for part in ("Exit codes", "Examples") if f"{part}:" not in shown]
    if lacking:
        return f"the command {entry.name} has no {' and '.join(lacking)} in EPILOG of {where}: see cli/helptexts.py"
    return ""
