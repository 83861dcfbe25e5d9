"""Describes differences in a sentence."""

from collections.abc import Sequence
from typing import Final

from searchaccess.api.status import DriftItem
from searchaccess.core.rights.diff import Difference
from searchaccess.core.status.conditions import shorten

VALUE_LIMIT: Final = 256
"""Characters that are shown of a value."""
TEXT_LIMIT: Final = 900
"""Characters of a sentence, so that it fits into an event."""


def describe_differences(differences: Sequence[Difference | DriftItem]) -> str:
    """Return the declared and observed values of as many whole differences as fit."""
    parts = [_described(item) for item in differences]
    shown = parts[:1]
    while len(shown) < len(parts) and len("; ".join([*shown, parts[len(shown)]])) <= TEXT_LIMIT:
        shown.append(parts[len(shown)])
    more = len(parts) - len(shown)
    return "; ".join(shown) + (f"; and {more} more: status.drift.items" if more else "")


def _described(item: Difference | DriftItem) -> str:
    path, want, have = (shorten(text, VALUE_LIMIT) for text in (item.path, item.want, item.have))
    place = item.object if path == "." else f"{item.object} {path}"
    return f"{place}: want {want or 'nothing'}, have {have or 'nothing'}"
