"""Names what was forgotten beside a new reason, condition type or event, so that ``make generate`` can say it."""

from collections.abc import Container, Iterable
from typing import Final

from searchaccess.api.conditions.docs import REASON_DOCS
from searchaccess.api.conditions.events import EVENT_DOCS, EventReason
from searchaccess.api.conditions.reasons import Reason
from searchaccess.api.conditions.types import CONDITION_DOCS, ConditionType

Part = tuple[str, Iterable[str], Container[str], str]

PARTS: Final[tuple[Part, ...]] = (
    ("reason", Reason, REASON_DOCS, "REASON_DOCS in api/conditions/docs.py"),
    ("condition type", ConditionType, CONDITION_DOCS, "CONDITION_DOCS in api/conditions/types.py"),
    ("event", EventReason, EVENT_DOCS, "EVENT_DOCS in api/conditions/events.py"),
)
"""What there is, all of it, what is said of each, and where that is."""


def missing_parts(parts: Iterable[Part] = PARTS) -> list[str]:
    """Return what is missing, one line for each, for a person; empty: nothing is."""
    return [
        f"the {kind} {name} has no entry in {where}: say what it means, and what to do"
        for kind, names, said, where in parts
        for name in names
        if name not in said
    ]
