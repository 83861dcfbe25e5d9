"""Compares what callers may do before and after."""

import difflib
import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final, NamedTuple

from searchaccess.core.answers.plan.cover import Effort, gains
from searchaccess.core.answers.plan.model import Kind, RoleChange, sorted_roles
from searchaccess.core.model.access import Share
from searchaccess.core.model.canonical import Entry, RoleBody
from searchaccess.core.patterns.marks import is_mark

MOST_LINES: Final = 400
"""Of the diff of one role."""


class Caller(NamedTuple):
    """Whose rights they are."""

    cluster: str
    name: str
    """The principal, the workload, or ``credential namespace/name``."""


@dataclass(slots=True)
class Rights:
    """What callers have.

    Args:
        parts: by caller, and SearchAccess that it is due to; an empty name: rights that no SearchAccess has.
    """

    parts: dict[Caller, dict[str, Share]] = field(default_factory=dict)

    def add(self, caller: Caller, ref: str, share: Share) -> None:
        """Add what a caller has by one SearchAccess."""
        if share.entries or share.cluster:
            self.parts.setdefault(caller, {})[ref] = share

    def of(self, caller: Caller) -> Mapping[str, Share]:
        """Return what a caller has, by SearchAccess."""
        return self.parts.get(caller, {})


def compare(before: Rights, after: Rights) -> tuple[RoleChange, ...]:
    """Return what changes for callers."""
    effort = Effort()
    found = (
        change_of(caller, _body(before.of(caller)), _body(after.of(caller)), refs, effort)
        for caller, refs in _changed(before, after)
    )
    return sorted_roles(each for each in found if each is not None)


def _changed(before: Rights, after: Rights) -> Iterator[tuple[Caller, tuple[str, ...]]]:
    for caller in sorted({*before.parts, *after.parts}):
        was, now = before.of(caller), after.of(caller)
        refs = [ref for ref in sorted({*was, *now}) if not was.get(ref, Share()).same_as(now.get(ref, Share()))]
        if refs:
            yield caller, tuple(filter(None, refs))


def _body(parts: Mapping[str, Share]) -> RoleBody:
    entries = tuple(entry for ref in sorted(parts) for entry in parts[ref].entries)
    return RoleBody(tuple(sorted({name for share in parts.values() for name in share.cluster})), entries)


def change_of(
    caller: Caller, before: RoleBody, after: RoleBody, accesses: Iterable[str], effort: Effort
) -> RoleChange | None:
    """Return what changes for one caller; None: nothing.

    Args:
        caller: whose rights they are.
        before: the rights as they are.
        after: the rights as they would be.
        accesses: the SearchAccesses that the change is due to.
        effort: how much may be compared.
    """
    if _without_words(before).same_as(_without_words(after)):
        return None
    opened, closed = gains(after, before, effort), gains(before, after, effort)
    kind = _kind(before, after, opened=bool(opened), closed=bool(closed))
    return RoleChange(*caller, kind, opened, closed, tuple(sorted(set(accesses))), unified(before, after))


def _without_words(body: RoleBody) -> RoleBody:
    return RoleBody(body.cluster, body.entries, other=body.other)


def _kind(before: RoleBody, after: RoleBody, *, opened: bool, closed: bool) -> Kind:
    if _is_empty(before) and opened:
        return Kind.ADDED
    if _is_empty(after) and closed:
        return Kind.REMOVED
    if opened:
        return Kind.MIXED if closed else Kind.WIDENED
    return Kind.NARROWED if closed else Kind.SAME


def _is_empty(body: RoleBody) -> bool:
    return not (body.entries or body.cluster or body.other)


def unified(before: RoleBody, after: RoleBody) -> tuple[str, ...]:
    """Return the rights before and after as a unified diff, without the names that keep restricted entries apart."""
    lines = list(difflib.unified_diff(_lines(before), _lines(after), "before", "after", lineterm="", n=2))
    cut = lines[:MOST_LINES]
    return (*cut, f"… {len(lines) - len(cut)} more lines") if len(lines) > len(cut) else tuple(cut)


def _lines(body: RoleBody) -> list[str]:
    """Return rights as lines: one entry after the other in one order, each value on a line of its own."""
    lines = [f"cluster: {name}" for name in body.cluster]
    for entry in sorted(body.entries, key=lambda one: (one.kind, one.indices, one)):
        lines += _lines_of(entry)
    return [*lines, f"other: {body.other}"] if body.other else lines


def _lines_of(entry: Entry) -> Iterator[str]:
    raw = entry.to_json()
    yield f"{entry.kind}:"
    for key, value in raw.items():
        if isinstance(value, list):
            yield from (f"  {key}: {item}" for item in value if not is_mark(str(item)))
        elif isinstance(value, str):
            yield f"  {key}: {value}"
        else:
            yield f"  {key}: {json.dumps(value, sort_keys=True, ensure_ascii=False)}"
